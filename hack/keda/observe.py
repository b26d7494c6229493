"""What the autoscaler sees and does: one look at it, and what of many looks is worth telling."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import asdict, dataclass
from typing import Any

from hack.demo.shell import ROOT, Shell
from hack.demo.up import NAME, NAMESPACE

EXTERNAL = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}"
SELECTOR = f"labelSelector=scaledobject.keda.sh%2Fname%3D{NAME}"
TRIGGERS = ("s0-prometheus", "s1-metric-api-reranker_queued_documents")
OWN_TRIGGER = "s0-metric-api-reranker_queued_documents"
"""The trigger of the ScaledObject that the operator makes where it knows of no Prometheus."""


@dataclass(frozen=True)
class Moment:
    """One look."""

    second: int
    phase: str
    waiting: dict[str, float | None]
    """What KEDA's metrics server answers for each trigger; None where it answers nothing."""
    wanted: int | None
    """The replicas that the HorizontalPodAutoscaler wants."""
    replicas: int
    """`spec.replicas` of the RerankerDeployment."""
    ready: int

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)


def look(shell: Shell, started: float, phase: str) -> Moment:
    """Ask the API server for all of it."""
    resource = shell.get("-n", NAMESPACE, "rrd", NAME)
    autoscaler = ask(shell, "get", "-n", NAMESPACE, "hpa", f"keda-hpa-{NAME}", "-o", "json")
    return Moment(
        second=round(time.monotonic() - started),
        phase=phase,
        waiting={trigger: external_metric(shell, trigger) for trigger in TRIGGERS},
        wanted=(autoscaler or {}).get("status", {}).get("desiredReplicas"),
        replicas=resource["spec"]["replicas"],
        ready=resource.get("status", {}).get("readyReplicas", 0),
    )


def external_metric(shell: Shell, trigger: str) -> float | None:
    """The value of a trigger, as the HorizontalPodAutoscaler gets it."""
    answer = ask(shell, "get", "--raw", f"{EXTERNAL}/{trigger}?{SELECTOR}")
    items = (answer or {}).get("items", [])
    return quantity(items[0]["value"]) if items else None


def quantity(text: str) -> float:
    """A Kubernetes quantity of a count: `1600`, `1500m`, `2k`."""
    factors = {"m": 0.001, "k": 1000.0, "M": 1e6}
    return float(text[:-1]) * factors[text[-1]] if text[-1] in factors else float(text)


def ask(shell: Shell, *arguments: str) -> Any:
    """What kubectl prints, parsed; None where the API server refuses, which it does until KEDA serves the metric."""
    done = subprocess.run(
        ["kubectl", *arguments], cwd=ROOT, env=shell.environment, text=True, capture_output=True, check=False
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def changes(seen: list[Moment], every_s: int = 10) -> list[Moment]:
    """Those that differ from the one before in replicas, and one in so many seconds of the others."""
    kept: list[Moment] = []
    for moment in seen:
        state = (moment.phase, moment.wanted, moment.replicas, moment.ready)
        if (
            not kept
            or state != (kept[-1].phase, kept[-1].wanted, kept[-1].replicas, kept[-1].ready)
            or moment.second - kept[-1].second >= every_s
        ):
            kept.append(moment)
    return kept
