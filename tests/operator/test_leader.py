"""Two operators for the same namespaces: one works, the other takes over when the first is gone."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.operator.api import Api, eventually
from tests.operator.conftest import CONFIG, Operator
from tests.operator.control_plane import OPERATOR, ControlPlane
from tests.operator.resources import new_pods, pods_of, reranker, wait_for

TIMES = {"leaseSeconds": 4, "renewSeconds": 3, "retrySeconds": 0.5}


@pytest.fixture
def candidate(
    running: Operator, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> Iterator[Callable[[str], Operator]]:
    """Makes operators that share a Lease in the test's namespace; the one of the other tests rests meanwhile."""
    assert running.process is not None
    if running.process.popen.poll() is None:
        assert running.stop() == 0
    made: list[Operator] = []

    def make(name: str) -> Operator:
        folder = tmp_path / name
        folder.mkdir()
        election = {"enabled": True, "namespace": namespace, "name": "operators", **TIMES}
        config = {**CONFIG, "namespaces": [namespace], "leaderElection": election}
        operator = Operator(folder, control_plane.kubeconfig(OPERATOR), config, {"POD_NAME": name})
        made.append(operator)
        return operator

    try:
        yield make
    finally:
        for operator in made:
            if operator.process is not None and operator.process.popen.poll() is None:
                operator.stop()
        running.start()


def holder(api: Api, namespace: str) -> str:
    lease = api.get("leases", namespace, "operators")
    return "" if lease is None else str(lease["spec"]["holderIdentity"]).partition("_")[0]


def leads(operator: Operator) -> bool:
    return "reranker_operator_leader 1.0" in operator.get("/metrics").text


def test_killed_leader_is_followed_within_20_seconds_and_nothing_is_done_twice(
    api: Api, namespace: str, candidate: Callable[[str], Operator]
):
    first, second = candidate("first"), candidate("second")
    first.start()
    second.start()  # ready, although it only stands by
    assert holder(api, namespace) == "first"
    assert (leads(first), leads(second)) == (True, False)
    api.create("rerankerdeployments", reranker(namespace))
    old = new_pods(api, namespace)
    wait_for(api, namespace, Progressing="RollingOut")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": 99}})
    wait_for(api, namespace, Accepted="SpecValid")
    new_pods(api, namespace, besides=old)  # the rollout runs
    deployment = api.get("deployments", namespace, "products")
    assert deployment is not None

    assert first.process is not None
    killed = time.monotonic()
    first.process.end(signal.SIGKILL)
    events = len(api.list("events", namespace))
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"replicas": 2}})
    eventually(lambda: holder(api, namespace) == "second", "the second leads", within=20)
    # Kubernetes gives the further pod to either template: neither has one that serves.
    eventually(lambda: len(pods_of(api, namespace)) == 3, "the further pod is there")
    assert time.monotonic() - killed < 20
    eventually(second.is_ready, "every watch of the new leader is alive")

    after = api.get("deployments", namespace, "products")
    assert after is not None
    assert after["metadata"]["generation"] == deployment["metadata"]["generation"] + 1  # the replicas, once
    assert after["spec"]["template"] == deployment["spec"]["template"]
    told = [
        event["reason"]
        for event in api.list("events", namespace)
        if event["source"].get("component") == "reranker-operator"
    ]
    assert len(told) == len(set(told)), told
    assert len(api.list("events", namespace)) >= events


def test_leader_that_ends_gives_the_lease_back(api: Api, namespace: str, candidate: Callable[[str], Operator]):
    first, second = candidate("first"), candidate("second")
    first.start()
    second.start()
    assert first.stop() == 0
    eventually(lambda: holder(api, namespace) == "second", "the second leads", within=2.5)


def test_leader_that_was_stopped_for_long_ends_without_a_write(
    api: Api, namespace: str, candidate: Callable[[str], Operator]
):
    first, second = candidate("first"), candidate("second")
    first.start()
    second.start()
    assert first.process is not None
    first.process.popen.send_signal(signal.SIGSTOP)
    eventually(lambda: holder(api, namespace) == "second", "the second leads")
    api.create("rerankerdeployments", reranker(namespace))
    first.process.popen.send_signal(signal.SIGCONT)
    assert first.process.wait() == 1
    assert "LeaseLostError" in first.log()
    wait_for(api, namespace, Accepted="SpecValid")


def test_log_is_one_json_object_a_line(control_plane: ControlPlane, running: Operator, tmp_path: Path, namespace: str):
    kubeconfig = control_plane.kubeconfig(OPERATOR)
    config = {**CONFIG, "namespaces": [namespace]}
    operator = Operator(tmp_path, kubeconfig, config, {"RERANKER_OPERATOR_LOG_FORMAT": "json"})
    assert running.stop() == 0
    try:
        operator.start()
        assert operator.stop() == 0
    finally:
        running.start()
    entries = [json.loads(line) for line in operator.log().splitlines()]
    assert any(entry["message"].startswith("serving ") for entry in entries)
    assert all(entry.keys() >= {"time", "level", "logger", "message"} for entry in entries)
