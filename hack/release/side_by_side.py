"""Two releases of the chart in two namespaces, each with rerankers of its own: neither touches the other's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from hack.demo.shell import Shell, StepError
from hack.release.releases import Helm, Step, place

TEAMS = ("team-a", "team-b")
PATIENCE_S = 60
QUIET_S = 10


def releases_side_by_side(helm: Helm, chart: Path, chosen: tuple[str, ...]) -> list[Step]:
    """Install both, remove one; a `StepError` says where one did the other's work, or not its own."""
    shell, steps = helm.shell, []
    for team in TEAMS:
        shell.run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump_all(objects_of(team)))
    for team in TEAMS:
        scope = ["--set", f"rbac.scope=namespace,rbac.namespaces={{{team}}}"]
        # The definitions are there already, from a release of another name that kept them.
        scope += ["--take-ownership"] if team == TEAMS[0] else ["--set", "crds.install=false"]
        steps.append(
            helm.step(f"install for {team}", "install", team, str(chart), *place(system(team)), *chosen, *scope)
        )
    for team in TEAMS:
        change(shell, team, "first look")
        await_seen(shell, team)
    steps.append(helm.step(f"uninstall that of {TEAMS[1]}", "uninstall", TEAMS[1], *place(system(TEAMS[1]))))
    for team in TEAMS:
        change(shell, team, "second look")
    await_seen(shell, TEAMS[0])
    time.sleep(QUIET_S)
    if seen(shell, TEAMS[1]):
        raise StepError(f"the operator of {TEAMS[0]} works on the rerankers of {TEAMS[1]}")
    steps.append(helm.step(f"uninstall that of {TEAMS[0]}", "uninstall", TEAMS[0], *place(system(TEAMS[0]))))
    for team in TEAMS:
        shell.run("kubectl", "delete", "namespace", team, system(team))
    return steps


def system(team: str) -> str:
    """The namespace of a team's operator."""
    return f"{team}-system"


def objects_of(team: str) -> list[dict[str, Any]]:
    """A team's two namespaces, and its reranker: without replicas, since who writes its children is the question."""
    return [
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (team, system(team))),
        {
            "apiVersion": "reranker.dev/v1alpha1",
            "kind": "RerankerDeployment",
            "metadata": {"name": "quiet", "namespace": team},
            "spec": {"model": {"name": "/models/tiny-reranker"}, "replicas": 0},
        },
    ]


def change(shell: Shell, team: str, instruction: str) -> None:
    """A change of the spec that starts no pod."""
    patch = json.dumps({"spec": {"instruction": instruction}})
    shell.run("kubectl", "-n", team, "patch", "rrd", "quiet", "--type=merge", "-p", patch)


def seen(shell: Shell, team: str) -> bool:
    """Whether some operator has worked on the reranker as it is now."""
    resource = shell.get("-n", team, "rrd", "quiet")
    return bool(resource.get("status", {}).get("observedGeneration") == resource["metadata"]["generation"])


def await_seen(shell: Shell, team: str) -> None:
    """Wait until it has; a `StepError` when nothing comes."""
    wait(lambda: seen(shell, team), f"the operator of {team} has not worked on its reranker")


def wait(look: Callable[[], bool], otherwise: str) -> None:
    """Look until it holds, for a minute."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            raise StepError(f"{otherwise} within {PATIENCE_S} s")
        time.sleep(1)
