"""A client inside the cluster that asks a reranker ten times a second and counts what it lost; the pods it asks."""

from __future__ import annotations

import json
from typing import Any

import yaml

from hack.demo.shell import ROOT, Shell
from hack.demo.up import NAME, NAMESPACE, sweep_job

CLIENT = "steady-client"
SCRIPT = ROOT / "tests" / "e2e" / "steady_client.py"
STOP = "/tmp/stop"  # noqa: S108 - in the client's own pod


class Traffic:
    """The client's pod, from its start to its summary."""

    def __init__(self, shell: Shell, image: str) -> None:
        self.shell = shell
        documents = yaml.safe_dump_all(client_objects(image))
        self.shell.run("kubectl", "apply", "-f", "-", stdin=documents)
        self.shell.run("kubectl", "-n", NAMESPACE, "wait", "--for=condition=Ready", f"pod/{CLIENT}", "--timeout=90s")

    def stop(self) -> tuple[dict[str, Any], list[str]]:
        """End it; returns its summary (requests, failures, p50_s, p99_s, max_s, seconds) and a line a failure."""
        self.shell.run("kubectl", "-n", NAMESPACE, "exec", CLIENT, "--", "touch", STOP)
        done = "--for=jsonpath={.status.phase}=Succeeded"
        self.shell.run("kubectl", "-n", NAMESPACE, "wait", f"pod/{CLIENT}", done, "--timeout=90s")
        *failures, summary = self.shell.output("kubectl", "-n", NAMESPACE, "logs", CLIENT).splitlines()
        self.shell.run("kubectl", "-n", NAMESPACE, "delete", "pod,configmap", CLIENT, "--grace-period=1")
        return json.loads(summary), failures


def client_objects(image: str) -> list[dict[str, Any]]:
    """The client's script in a ConfigMap, and a Pod of the benchmark's image that runs it."""
    spec = sweep_job(image)["spec"]["template"]["spec"]
    container = spec["containers"][0]
    container.pop("args")
    container.update(
        name="client",
        command=["python", f"/client/{SCRIPT.name}", f"http://{NAME}:8000"],
        volumeMounts=[{"name": "client", "mountPath": "/client"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    )
    spec["volumes"] = [{"name": "client", "configMap": {"name": CLIENT}}, {"name": "tmp", "emptyDir": {}}]
    metadata = {"name": CLIENT, "namespace": NAMESPACE}
    data = {SCRIPT.name: SCRIPT.read_text(encoding="utf-8")}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    ]


def reranker_pods(shell: Shell) -> dict[str, int]:
    """Restarts of each of the reranker's pods, by the pod's uid: the same before and after means untouched."""
    pods = shell.get("-n", NAMESPACE, "pods", "-l", f"app.kubernetes.io/instance={NAME}")["items"]
    return {
        pod["metadata"]["uid"]: sum(status["restartCount"] for status in pod["status"].get("containerStatuses", []))
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
    }
