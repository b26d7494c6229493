"""Kills the leader of two operators while a rollout runs, edits a resource 200 times in 10 s, and tells the outcome.

`python -m hack.takeover` brings up the local node, installs two operators for the whole cluster, works in two
namespaces, and writes docs/results/takeover.md. It takes the node down again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
from rich.console import Console

from hack.demo.shell import ROOT, Shell, StepError
from hack.demo.up import NAME, NAMESPACE, RELEASE, SYSTEM_NAMESPACE, Demo
from hack.demo.waiting import reranker_state, wait_until
from hack.node_page import write_from_node

PAGE = ROOT / "docs" / "results" / "takeover.md"
ELSEWHERE, EDITED = "reranker-elsewhere", "edited"
PATIENCE_S = 120.0
EDITS, EDITS_S = 200, 10.0
FIRST_LENGTH = 100
PROXY_PORT = 18555


class Trial:
    """The cluster under trial."""

    def __init__(self, shell: Shell, console: Console) -> None:
        self.shell = shell
        self.console = console

    def lease(self) -> dict[str, Any]:
        """Who leads."""
        (lease,) = self.shell.get("-n", SYSTEM_NAMESPACE, "leases")["items"]
        found: dict[str, Any] = lease["spec"]
        return found

    def leader(self) -> str:
        """The leading operator's pod."""
        return str(self.lease()["holderIdentity"]).partition("_")[0]

    def generation(self, namespace: str = NAMESPACE, name: str = NAME) -> int:
        """How often the Deployment's spec was written."""
        return int(self.shell.get("-n", namespace, "deployment", name)["metadata"]["generation"])

    def patch(self, spec: dict[str, Any]) -> None:
        """Change the reranker."""
        change = json.dumps({"spec": spec})
        self.shell.run("kubectl", "-n", NAMESPACE, "patch", "rrd", NAME, "--type=merge", "-p", change)

    def carried_out(self) -> bool:
        """Whether the operator has seen the reranker's present spec."""
        resource = self.shell.get("-n", NAMESPACE, "rrd", NAME)
        return bool(resource["status"]["observedGeneration"] == resource["metadata"]["generation"])

    def kill(self, pod: str) -> None:
        """`kill -9` of the operator in a pod."""
        find = (
            f"for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ 2>/dev/null | grep -qx 'POD_NAME={pod}' && "
            "tr '\\0' ' ' < $p/cmdline | grep -q reranker && kill -9 ${p#/proc/}; done; true"
        )
        self.shell.run("hack/cluster/cluster", "enter", "sh", "-c", find)

    def events(self) -> list[dict[str, Any]]:
        """The Events about the reranker, oldest first."""
        found = self.shell.get("-n", NAMESPACE, "events", "--field-selector", "involvedObject.kind=RerankerDeployment")
        return sorted(found["items"], key=lambda event: str(event["metadata"]["creationTimestamp"]))


def until(look: Callable[[], bool], what: str) -> None:
    """Wait until something is so; a `StepError` when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            raise StepError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(0.1)


def takeover(trial: Trial) -> list[str]:
    """Kill the leader while a rollout runs; what came of it."""
    before, first = trial.generation(), trial.leader()
    trial.patch({"instructionFormat": "standard"})
    until(lambda: trial.generation() == before + 1, "the rollout begins")
    trial.kill(first)
    started = time.monotonic()
    trial.patch({"limits": {"maxDocuments": 500}})  # while nobody leads
    until(lambda: trial.leader() != first, "the other operator leads")
    led = time.monotonic() - started
    until(trial.carried_out, "the edit is carried out")
    carried_out = time.monotonic() - started
    wait_until(lambda: reranker_state(trial.shell, NAMESPACE, NAME), timeout_s=300, console=trial.console)
    events = trial.events()
    told = "\n".join(
        f"| {event['lastTimestamp'][11:19]} | {event['count']} | `{event['reason']}` | {event['message']} |"
        for event in events
    )
    return [
        "## kill -9 of the leader while a rollout runs",
        (
            "Of two operators the leading one was killed while a change of the instruction format was rolled out; at "
            f"once `limits.maxDocuments` was changed as well. The other one led **{led:.1f} s** later, and had carried "
            f"out the second change after {carried_out:.1f} s. The Deployment's generation went from {before} to "
            f"{trial.generation()}, one for each of the two changes. All Events about the reranker, from its creation "
            "on:"
        ),
        f"| time | count | reason | message |\n|---|--:|---|---|\n{told}",
    ]


def many_edits(trial: Trial) -> list[str]:
    """Edit a resource in another namespace many times; what came of it."""
    resource = {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerDeployment",
        "metadata": {"name": EDITED, "namespace": ELSEWHERE},
        "spec": {"model": {"name": "/models/tiny-reranker"}, "replicas": 0},
    }
    trial.shell.run("kubectl", "apply", "-f", "-", stdin=json.dumps(resource))
    started = time.monotonic()
    edit_through_proxy(trial.shell, started)
    edited = time.monotonic() - started
    last = f"max_model_len: {FIRST_LENGTH + EDITS - 1}"
    until(lambda: last in configuration(trial.shell), "the last edit is carried out")
    carried_out = time.monotonic() - started
    return [
        f"## {EDITS} edits in {EDITS_S:.0f} s",
        (
            f"A RerankerDeployment in a second namespace was edited {EDITS} times in {edited:.1f} s. Its last spec was "
            f"carried out {carried_out - edited:.1f} s after the last edit; the Deployment's generation is "
            f"{trial.generation(ELSEWHERE, EDITED)}, and {configurations(trial.shell)} ConfigMaps with configurations "
            "are left."
        ),
    ]


def edit_through_proxy(shell: Shell, started: float) -> None:
    """All edits, evenly spread: through `kubectl proxy`, as starting kubectl for each takes too long."""
    url = (
        f"http://127.0.0.1:{PROXY_PORT}/apis/reranker.dev/v1alpha1/namespaces/{ELSEWHERE}/rerankerdeployments/{EDITED}"
    )
    proxy = subprocess.Popen(
        ["kubectl", "proxy", f"--port={PROXY_PORT}"], env=shell.environment, stdout=subprocess.PIPE, text=True
    )
    try:
        if proxy.stdout is not None:
            proxy.stdout.readline()  # it listens
        with httpx.Client(headers={"Content-Type": "application/merge-patch+json"}, timeout=30) as client:
            for number in range(EDITS):
                client.patch(url, json={"spec": {"maxModelLen": FIRST_LENGTH + number}}).raise_for_status()
                time.sleep(max(0.0, started + (number + 1) * EDITS_S / EDITS - time.monotonic()))
    finally:
        proxy.terminate()
        proxy.wait()


def configuration(shell: Shell) -> str:
    """The configuration that the edited resource's Deployment mounts."""
    volumes = shell.get("-n", ELSEWHERE, "deployment", EDITED)["spec"]["template"]["spec"]["volumes"]
    name = next(volume["configMap"]["name"] for volume in volumes if volume["name"] == "config")
    return str(shell.get("-n", ELSEWHERE, "configmap", name)["data"]["config.yaml"])


def configurations(shell: Shell) -> int:
    """How many configurations of the edited resource there are."""
    return len(shell.get("-n", ELSEWHERE, "configmaps", "-l", f"app.kubernetes.io/instance={EDITED}")["items"])


def see(shell: Shell, demo: Demo) -> list[str]:
    """The page."""
    two = ("--reuse-values", "--set", "replicas=2", "--wait", "--timeout", "3m")
    shell.run("helm", "upgrade", RELEASE, "charts/reranker-operator", "-n", SYSTEM_NAMESPACE, *two)
    demo.ensure_namespace(ELSEWHERE)
    demo.apply_reranker()
    trial = Trial(shell, demo.console)
    return [
        "# Takeover and haste",
        "Two operators for the whole cluster on the local node. Made by `python -m hack.takeover`.",
        *takeover(trial),
        *many_edits(trial),
    ]


if __name__ == "__main__":
    sys.exit(write_from_node(PAGE, see))
