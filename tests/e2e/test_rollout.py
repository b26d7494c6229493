"""A change of backend and of instruction format under traffic loses no request; deletion removes everything."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hack.demo.shell import Shell
from hack.demo.up import NAME, NAMESPACE
from hack.demo.waiting import reranker_state
from hack.release.traffic import CLIENT, Traffic

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture
def traffic(shell: Shell) -> Iterator[Traffic]:
    """A steady client in the cluster."""
    job = shell.get("-n", NAMESPACE, "job", "sweep")
    yield Traffic(shell, job["spec"]["template"]["spec"]["containers"][0]["image"])
    remove = ("delete", "pod,configmap", CLIENT, "--ignore-not-found", "--grace-period=1")
    shell.run("kubectl", "-n", NAMESPACE, *remove)


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


def test_changes_under_traffic_lose_no_request(shell: Shell, traffic: Traffic):
    before = pod_names(shell)

    patch(shell, {"backend": "qwen3_vllm"})
    assert pod_names(shell).isdisjoint(before), "the pods were not replaced"
    assert health(shell)["backend"] == "qwen3_vllm"

    between = pod_names(shell)
    patch(shell, {"instructionFormat": "standard"})
    assert pod_names(shell).isdisjoint(between), "the pods were not replaced"
    assert health(shell)["instruction_format"] == "standard"

    summary, failures = traffic.stop()
    print(*failures, summary, sep="\n")
    assert summary["requests"] >= 300
    assert summary["failures"] == 0, failures


def test_deletion_removes_everything_that_the_operator_made(shell: Shell):
    shell.run("kubectl", "-n", NAMESPACE, "delete", "rrd", NAME)
    kinds = "deployments,services,configmaps,pods"
    deadline = time.monotonic() + 120
    while left := shell.get("-n", NAMESPACE, kinds, "-l", f"app.kubernetes.io/instance={NAME}")["items"]:
        assert time.monotonic() < deadline, [f"{item['kind']} {item['metadata']['name']}" for item in left]
        time.sleep(1)
