"""A change of backend and of instruction format under traffic loses no request; deletion removes everything."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from hack.demo.shell import Shell
from hack.demo.up import NAME, NAMESPACE, sweep_job
from hack.demo.waiting import reranker_state

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CLIENT = "steady-client"
SCRIPT = Path(__file__).parent / "steady_client.py"


def client_objects(image: str) -> list[dict[str, Any]]:
    """The client's script in a ConfigMap, and a Pod that runs it."""
    spec = sweep_job(image)["spec"]["template"]["spec"]
    container = spec["containers"][0]
    container.update(
        name="client",
        command=["python", "/client/steady_client.py", f"http://{NAME}:8000"],
        volumeMounts=[{"name": "client", "mountPath": "/client"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    )
    container.pop("args")
    spec["volumes"] = [{"name": "client", "configMap": {"name": CLIENT}}, {"name": "tmp", "emptyDir": {}}]
    metadata = {"name": CLIENT, "namespace": NAMESPACE}
    data = {SCRIPT.name: SCRIPT.read_text(encoding="utf-8")}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    ]


@pytest.fixture
def traffic(shell: Shell) -> Iterator[str]:
    """A steady client in the cluster; yields the name of its pod."""
    job = shell.get("-n", NAMESPACE, "job", "sweep")
    image = job["spec"]["template"]["spec"]["containers"][0]["image"]
    shell.run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump_all(client_objects(image)))
    shell.run("kubectl", "-n", NAMESPACE, "wait", "--for=condition=Ready", f"pod/{CLIENT}", "--timeout=60s")
    yield CLIENT
    shell.run("kubectl", "-n", NAMESPACE, "delete", "pod,configmap", CLIENT, "--grace-period=1")


def patch(shell: Shell, spec: dict[str, Any]) -> None:
    shell.run("kubectl", "-n", NAMESPACE, "patch", "rrd", NAME, "--type=merge", "-p", json.dumps({"spec": spec}))
    deadline = time.monotonic() + 300
    while not (state := reranker_state(shell, NAMESPACE, NAME))[0]:
        assert time.monotonic() < deadline, f"{spec} was not rolled out: {state[1]}"
        time.sleep(1)


def health(shell: Shell) -> dict[str, Any]:
    with shell.port_forward(NAMESPACE, f"service/{NAME}", 8000) as url:
        return httpx.get(f"{url}/health", timeout=30).raise_for_status().json()


def pod_names(shell: Shell) -> set[str]:
    pods = shell.get("-n", NAMESPACE, "pods", "-l", f"app.kubernetes.io/instance={NAME}")["items"]
    return {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def test_changes_under_traffic_lose_no_request(shell: Shell, traffic: str):
    before = pod_names(shell)

    patch(shell, {"backend": "qwen3_vllm"})
    assert pod_names(shell).isdisjoint(before), "the pods were not replaced"
    assert health(shell)["backend"] == "qwen3_vllm"

    between = pod_names(shell)
    patch(shell, {"instructionFormat": "standard"})
    assert pod_names(shell).isdisjoint(between), "the pods were not replaced"
    assert health(shell)["instruction_format"] == "standard"

    shell.run("kubectl", "-n", NAMESPACE, "exec", traffic, "--", "touch", "/tmp/stop")  # noqa: S108
    done = "--for=jsonpath={.status.phase}=Succeeded"
    shell.run("kubectl", "-n", NAMESPACE, "wait", f"pod/{traffic}", done, "--timeout=90s")
    lines = shell.output("kubectl", "-n", NAMESPACE, "logs", traffic).splitlines()
    print(*lines, sep="\n")
    summary = json.loads(lines[-1])
    assert summary["requests"] >= 300
    assert summary["failures"] == 0, lines


def test_deletion_removes_everything_that_the_operator_made(shell: Shell):
    shell.run("kubectl", "-n", NAMESPACE, "delete", "rrd", NAME)
    kinds = "deployments,services,configmaps,pods"
    deadline = time.monotonic() + 120
    while left := shell.get("-n", NAMESPACE, kinds, "-l", f"app.kubernetes.io/instance={NAME}")["items"]:
        assert time.monotonic() < deadline, [f"{item['kind']} {item['metadata']['name']}" for item in left]
        time.sleep(1)
