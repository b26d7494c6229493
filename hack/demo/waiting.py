"""Waits for what the cluster does, saying what it sees change meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from hack.demo.shell import Shell, StepError

POLL_S = 1.0


def wait_until(look: Callable[[], tuple[bool, str]], *, timeout_s: float, console: Console) -> None:
    """Call `look` -> (done, what is seen) until it is done; print each change of what is seen."""
    started = time.monotonic()
    last = ""
    while True:
        done, seen = look()
        elapsed = time.monotonic() - started
        if seen != last:
            console.print(f"  {elapsed:4.0f} s  {seen}", markup=False, highlight=False)
            last = seen
        if done:
            return
        if elapsed > timeout_s:
            raise StepError(f"not done after {timeout_s:.0f} s; last seen: {seen}")
        time.sleep(POLL_S)


def reranker_state(shell: Shell, namespace: str, name: str) -> tuple[bool, str]:
    """Whether the present generation of a RerankerDeployment is rolled out and serves, and a line on it."""
    resource = shell.get("-n", namespace, "rerankerdeployment", name)
    status = resource.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    seen = status.get("observedGeneration") == resource["metadata"]["generation"]
    done = (
        seen
        and conditions.get("Available", {}).get("status") == "True"
        and conditions.get("Progressing", {}).get("reason") == "RolloutComplete"
    )
    words = [f"{kind}={entry['status']} ({entry['reason']})" for kind, entry in conditions.items()]
    pods = shell.get("-n", namespace, "pods", "-l", f"app.kubernetes.io/instance={name}")["items"]
    return done, "  ".join([*words, *sorted(pod_state(pod) for pod in pods)]) or "the operator has not seen it yet"


def pod_state(pod: dict[str, Any]) -> str:
    """`pod <name>: <the word that `kubectl get pods` would show>`."""
    status = pod.get("status", {})
    word = status.get("phase", "Unknown")
    for container in status.get("containerStatuses", []):
        state = container.get("state", {})
        word = state.get("waiting", {}).get("reason") or state.get("terminated", {}).get("reason") or word
        if word == "Running":
            word = "Ready" if container.get("ready") else "Running, not ready"
    if "deletionTimestamp" in pod["metadata"]:
        word = "Terminating"
    return f"pod {pod['metadata']['name']}: {word}"


def job_state(shell: Shell, namespace: str, name: str) -> tuple[bool, str]:
    """Whether a Job is complete, and a line on it; a failed one is a `StepError`."""
    status = shell.get("-n", namespace, "job", name).get("status", {})
    conditions = {entry["type"] for entry in status.get("conditions", []) if entry["status"] == "True"}
    if "Failed" in conditions:
        raise StepError(f"the Job {name} failed")
    if "Complete" in conditions:
        return True, f"job {name}: complete"
    return False, f"job {name}: {'running' if status.get('active') else 'starting'}"
