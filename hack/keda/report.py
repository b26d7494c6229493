"""docs/results/keda.md, from what `hack/keda/run` saw."""

from __future__ import annotations

from typing import Any

from hack.keda.observe import TRIGGERS, Moment, changes

PAGE = """\
# KEDA scales a RerankerDeployment

KEDA {version} (operator and metrics server, built from its Go module) on a real node, with Debian's Prometheus, which
finds the pods by their labels. [keda-scaledobject.yaml](../../examples/autoscaling/keda-scaledobject.yaml) scales the
RerankerDeployment through its scale subresource, between 1 and 2 replicas, at 100 waiting documents a pod, by two
triggers: Prometheus, and the pods' own /metrics. `hack/keda/run` does it all again and writes this page (2 cores, the
demonstration model on vLLM's CPU build; commit {commit}).

| second | | Prometheus: documents waiting | pods: documents waiting | autoscaler wants | spec.replicas | ready |
|--:|---|--:|--:|--:|--:|--:|
{rows}

Load: {answers} (answers by status; {documents} documents a request).

What the autoscaler and KEDA said:

{events}

The operator's own ScaledObject, made for `spec.autoscaling` after that: {own}.

The first two columns of figures are what KEDA's metrics server answers to the autoscaler; a dash means that it had no
answer yet.
"""


def report(
    version: str, commit: str, seen: list[Moment], answers: dict[str, Any], events: list[str], *, own: str
) -> str:
    """The page."""
    return PAGE.format(
        version=version,
        commit=commit,
        rows="\n".join(row(moment) for moment in changes(seen)),
        answers=", ".join(f"{status}: {count}" for status, count in sorted(answers["answers"].items())),
        documents=answers["documents"],
        own=own,
        events="\n".join(f"* {event}" for event in dict.fromkeys(events)),
    )


def row(moment: Moment) -> str:
    """One line of the table."""
    waiting = (f"{value:.0f}" if value is not None else "–" for value in map(moment.waiting.get, TRIGGERS))
    wanted = moment.wanted if moment.wanted is not None else "–"
    cells = (moment.second, moment.phase, *waiting, wanted, moment.replicas, moment.ready)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
