"""A cluster of the tests' own, beside whatever else runs: hack/cluster/cluster under another CLUSTER_NAME."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = ROOT / "hack/cluster/cluster"
PROBE_IMAGE = "localhost/probe:test"


def run(
    *command: str | Path, environment: dict[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], env=environment, input=stdin, capture_output=True, text=True, check=False
    )


def eventually(look: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.2)


@dataclass
class Node:
    name: str
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = {**os.environ, "CLUSTER_NAME": self.name}

    @property
    def state(self) -> Path:
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        return Path(home) / "reranker-operator" / self.name

    def cluster(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return run(COMMAND, *arguments, environment=self.environment)

    def must(self, *arguments: str | Path) -> str:
        done = self.cluster(*arguments)
        assert done.returncode == 0, f"cluster {arguments}: {done.stderr}"
        return done.stdout

    def init_pid(self) -> int:
        return int((self.state / "init").read_text().split()[0])

    @cached_property
    def kubectl_command(self) -> list[str]:
        return [f"{self.must('bin').strip()}/kubectl", f"--kubeconfig={self.state}/kubeconfig"]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return run(*self.kubectl_command, *arguments, stdin=stdin)

    def ask(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {arguments}: {done.stderr}"
        return done.stdout

    def apply(self, namespace: str, *objects: dict[str, Any]) -> None:
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.ask("apply", "--namespace", namespace, "-f", "-", stdin=document)

    def probe(self, namespace: str, pod: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the probe inside a running pod."""
        return self.kubectl("exec", "--namespace", namespace, pod, "--", "/probe", *arguments)


def restricted_pod(**labels: str) -> dict[str, Any]:
    """A pod template that the strictest pod security profile lets in; it serves its name at port 8000."""
    container = {
        "name": "probe",
        "image": PROBE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["serve", ":8000"],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1},
        "env": [{"name": "SSL_CERT_FILE", "value": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "metadata": {"labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }


def pod(name: str, **labels: str) -> dict[str, Any]:
    template = restricted_pod(**labels)
    return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": name, **template["metadata"]}}
