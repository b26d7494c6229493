"""docs/results/upgrade.md, from what `hack/release/upgrade` saw."""

from __future__ import annotations

from typing import Any

HEAD = """\
# Upgrades under load

A RerankerDeployment with one replica serves on a real node (`hack/cluster`), and a client in the cluster sends it ten
requests of ten documents a second, half of them over kept-alive connections, half over new ones. Meanwhile Helm works
on the operator's release. `hack/release/upgrade` does it all again and writes this page; it fails when a request is
lost.

"""
TITLES = {
    "first": "From the first chart to this one",
    "v3": "Helm 3: install, upgrade, roll back, uninstall",
    "v4": "Helm 4: install, upgrade, roll back, uninstall",
    "two": "Two releases in two namespaces, side by side",
}
NOTES = {
    "first": """\
The release is installed with chart and operator of commit {first}, and the reranker is made by it; then `helm upgrade`
to chart and operator of {commit}. The service's image is the same before and after. The reranker's pods {pods}: they
are replaced where the new operator writes another pod template, and then as in every rollout, the new one ready before
the old one goes.
""",
    "v4": """\
Helm 4 applies server-side. A field that another client has set meanwhile, as `kubectl scale` sets `replicas`, makes the
next upgrade stop with a conflict; `--force-conflicts` takes it back.
""",
    "two": """\
Each operator has `rbac.scope=namespace` and a namespace of its own, and the second has `crds.install=false`. With the
second uninstalled the first goes on with its rerankers, and leaves those of the other alone.
""",
}
SECTION = """\
## {title}

{note}
| Helm | step | took | reranker's pods untouched at its end |
|---|---|--:|---|
{rows}

Client: {requests} requests in {seconds} s, **{failures} lost**; p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest
{longest:.0f} ms (2 cores, shared with the node itself). Commit {commit}, {when} UTC.
"""


def report(seen: dict[str, Any]) -> str:
    """The page; a part that was not run is not on it."""
    return HEAD + "\n".join(section(part, seen[part]) for part in TITLES if part in seen)


def section(part: str, seen: dict[str, Any]) -> str:
    """A part: its steps, and what the client counted."""
    traffic = seen["traffic"]
    pods = "were replaced" if seen["replaced"] else "stayed"
    return SECTION.format(
        title=TITLES[part],
        note=NOTES.get(part, "").format(first=seen["first"], commit=seen["commit"], pods=pods),
        rows="\n".join(row(step) for step in seen["steps"]),
        requests=traffic["requests"],
        seconds=traffic["seconds"],
        failures=traffic["failures"],
        p50=traffic["p50_s"] * 1000,
        p99=traffic["p99_s"] * 1000,
        longest=traffic["max_s"] * 1000,
        commit=seen["commit"],
        when=seen["when"],
    )


def row(step: dict[str, Any]) -> str:
    """A step, with what Helm said where it refused."""
    refused = f": refused, `{step['refused'].replace('|', ' ')}`" if step["refused"] else ""
    untouched = "yes" if step["untouched"] else "no"
    return f"| {step['helm']} | {step['what']}{refused} | {step['seconds']} s | {untouched} |"
