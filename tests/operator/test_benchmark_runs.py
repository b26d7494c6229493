"""Benchmarks against a real API server, with the real Job controller and garbage collector.

The tests play kubelet: they have rerankers serve, and Jobs' pods end with the message that the tool writes.
"""

import json
import signal
import time
from typing import Any

import pytest
from tests.operator.api import Api, Object, eventually
from tests.operator.conftest import Operator
from tests.operator.resources import (
    container_status,
    make_ready,
    new_pods,
    ready_status,
    reranker,
    service_config,
    set_status,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("operator")

COMPACT = {"backend": "qwen3_vllm", "instructionFormat": "compact"}
STANDARD = {"backend": "qwen3_vllm", "instructionFormat": "standard"}


def start(api: Api, namespace: str, name: str = "matrix", **spec: Any) -> None:
    """A target that serves, where there is none yet, and a benchmark of it."""
    if api.get("rerankerdeployments", namespace, "products") is None:
        api.create("rerankerdeployments", reranker(namespace))
        make_ready(api, *new_pods(api, namespace))
    given = {"scenarios": [COMPACT, STANDARD], "documents": [10, 20], "repeat": 2, **spec}
    manifest = {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerBenchmark",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"deploymentRef": {"name": "products"}, **given},
    }
    api.create("rerankerbenchmarks", manifest)


def status_of(api: Api, namespace: str, name: str = "matrix") -> Object:
    resource = api.get("rerankerbenchmarks", namespace, name)
    assert resource is not None
    found: Object = resource.get("status") or {}
    return found


def phases(api: Api, namespace: str) -> list[str]:
    return [scenario["phase"] for scenario in status_of(api, namespace).get("scenarios", [])]


def wait_for_phases(api: Api, namespace: str, *wanted: str) -> Object:
    eventually(lambda: phases(api, namespace) == [*wanted], f"the scenarios are {wanted}")
    return status_of(api, namespace)


def condition(api: Api, namespace: str, name: str = "matrix") -> tuple[str, str]:
    """Status and reason of Finished."""
    found = [entry for entry in status_of(api, namespace, name).get("conditions", []) if entry["type"] == "Finished"]
    return (found[0]["status"], found[0]["reason"]) if found else ("", "")


def bring_up(api: Api, namespace: str, name: str, besides: list[Object] | None = None) -> None:
    """The reranker's present pods serve."""
    make_ready(api, *new_pods(api, namespace, name=name, besides=besides or []))


def job_pod(api: Api, namespace: str, job: str) -> Object:
    """The pod of a scenario's Job, once it is there."""
    selector = f"batch.kubernetes.io/job-name={job}"
    return eventually(lambda: api.list("pods", namespace, selector), f"{job} has a pod")[0]


def end_job(api: Api, namespace: str, job: str, mean: float = 100.0, **more: Any) -> None:
    """The tool in the Job's pod has measured; or has said something else."""
    cells = [
        {"n": n, "samples": 2, "lost": 0, "mean": mean + n, "stdev": 1.5, "p50": mean, "p95": mean, "p99": mean}
        for n in (10, 20)
    ]
    said = {"schema_version": 2, "model": "tiny", "lost": 0, "interrupted": False, "cells": cells, **more}
    pod = job_pod(api, namespace, job)
    ended = {
        "exitCode": 0, "message": json.dumps(said), "reason": "Completed",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z",
    }  # fmt: skip
    status = {**container_status(state={"terminated": ended}), "name": "bench"}
    set_status(api, pod, {**ready_status(), "phase": "Succeeded", "containerStatuses": [status]})


def config(api: Api, namespace: str, name: str = "products") -> tuple[str, str, int]:
    """Backend, format and length of the service's present configuration."""
    rerank = service_config(api, namespace, name)
    assert rerank is not None
    settings = rerank["backends"][rerank["backend"]]
    return rerank["backend"], settings["instruction_format"], settings["max_model_len"]


def test_dedicated_scenarios_are_measured_on_copies_and_the_target_is_left_alone(
    api: Api, namespace: str, operator: Operator
):
    start(api, namespace)
    before = api.get("deployments", namespace, "products")
    assert before is not None
    bring_up(api, namespace, "matrix-s1")
    assert config(api, namespace, "matrix-s1")[:2] == ("qwen3_vllm", "compact")
    pod = job_pod(api, namespace, "matrix-s1")  # the namespace lets in restricted pods only
    assert pod["spec"]["automountServiceAccountToken"] is False
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "reranker-bench:test"
    assert f"--url=http://matrix-s1.{namespace}.svc:8000" in container["args"]
    wait_for_phases(api, namespace, "Measuring", "Pending")
    end_job(api, namespace, "matrix-s1", mean=200.0)
    wait_for_phases(api, namespace, "Succeeded", "Pending")
    wait_until_gone(api, namespace, "matrix-s1")
    bring_up(api, namespace, "matrix-s2")
    end_job(api, namespace, "matrix-s2", mean=100.0)
    status = wait_for_phases(api, namespace, "Succeeded", "Succeeded")

    assert (status["phase"], status["done"], status["samples"]) == ("Succeeded", "2/2", "8/8")
    assert status["best"]["summary"] == "qwen3_vllm/standard 120.0 ms (n=20)"
    assert status["scenarios"][0]["results"][0] == {
        "documents": 10, "samples": 2, "errors": 0,
        "meanMs": 210, "stdevMs": 1.5, "p50Ms": 200, "p95Ms": 200, "p99Ms": 200,
    }  # fmt: skip
    after = api.get("deployments", namespace, "products")
    assert after is not None
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    eventually(lambda: told(api, namespace).get("best") == status["best"], "the target's status tells of it")
    eventually(lambda: "operator_benchmark_mean_seconds{" in figures(operator, namespace), "the figures are metrics")
    assert '_mean_seconds{backend="qwen3_vllm",benchmark="matrix",deployment="products",documents="10",' in figures(
        operator, namespace
    )
    reasons = {
        event["reason"] for event in api.list("events", namespace) if event["involvedObject"]["name"] == "matrix"
    }
    assert reasons == {"RerankerStarting", "Measuring", "CleaningUp", "Completed"}


def wait_until_gone(api: Api, namespace: str, name: str) -> None:
    """Wait until a temporary reranker is gone with its pods; the collector looks for new kinds every 30 s only."""
    eventually(lambda: api.get("rerankerdeployments", namespace, name) is None, "the temporary reranker is gone")
    selector = f"app.kubernetes.io/instance={name}"
    eventually(lambda: not api.list("pods", namespace, selector), "its pods are gone", within=60)


def told(api: Api, namespace: str) -> Object:
    """What the target's status says of benchmarks."""
    target = api.get("rerankerdeployments", namespace, "products")
    assert target is not None
    found: Object = target["status"].get("benchmark", {})
    return found


def figures(operator: Operator, namespace: str) -> str:
    """The benchmark metrics of a namespace."""
    return "\n".join(line for line in operator.get("/metrics").text.splitlines() if f'namespace="{namespace}"' in line)


def test_at_rest_nothing_is_written(api: Api, namespace: str, operator: Operator):
    start(api, namespace, scenarios=[COMPACT])
    bring_up(api, namespace, "matrix-s1")
    end_job(api, namespace, "matrix-s1")
    wait_for_phases(api, namespace, "Succeeded")
    eventually(lambda: told(api, namespace).get("best"), "the target's status tells of it")
    eventually(lambda: len(api.list("deployments", namespace)) == 1, "the copy is gone")
    api.patch("rerankerbenchmarks", namespace, "matrix", {"metadata": {"labels": {"team": "search"}}})
    before, passes = versions(api, namespace), operator.passes()
    for number in range(3):
        api.patch("jobs", namespace, "matrix-s1", {"metadata": {"annotations": {"touched": str(number)}}})
        eventually(lambda seen=passes + number: operator.passes() > seen, "a pass was made")
    time.sleep(0.5)
    assert versions(api, namespace) == before


def versions(api: Api, namespace: str) -> dict[str, str]:
    """The resource versions of all that the operator writes there, but for the Job that the test touches."""
    kinds = ("rerankerbenchmarks", "rerankerdeployments", "deployments", "configmaps", "services", "events")
    found = [(kind, item["metadata"]) for kind in kinds for item in api.list(kind, namespace)]
    return {f"{kind} {metadata['name']}": metadata["resourceVersion"] for kind, metadata in found}


def test_in_place_the_target_serves_the_scenario_and_afterwards_its_own_spec(api: Api, namespace: str):
    start(api, namespace, mode="InPlace", scenarios=[COMPACT])
    eventually(lambda: config(api, namespace)[:2] == ("qwen3_vllm", "compact"), "the scenario is laid over")
    target = api.get("rerankerdeployments", namespace, "products")
    assert target is not None
    assert (target["spec"]["backend"], target["metadata"]["generation"]) == ("qwen3_vllm_score", 1)
    eventually(
        lambda: told(api, namespace) == {"name": "matrix", "overlay": "qwen3_vllm/compact"}, "status tells of it"
    )
    assert api.get("jobs", namespace, "matrix-s1") is None, "the pods aren't up yet"
    roll_out(api, namespace)
    wait_for_phases(api, namespace, "Measuring")
    end_job(api, namespace, "matrix-s1")
    wait_for_phases(api, namespace, "Succeeded")
    eventually(lambda: config(api, namespace) == ("qwen3_vllm_score", "compact", 160), "its own spec is back")
    eventually(lambda: "overlay" not in told(api, namespace), "its status tells of no overlay any more")


def roll_out(api: Api, namespace: str) -> None:
    """The target's new pods serve, and those of before are gone: without a node they go at once."""
    make_ready(api, *new_pods(api, namespace))
    wait_for(api, namespace, Progressing="RolloutComplete", Available="MinimumReplicasAvailable")


def test_spec_edited_operator_killed_and_benchmark_deleted_meanwhile_the_target_ends_as_its_spec_says(
    api: Api, namespace: str, operator: Operator
):
    start(api, namespace, mode="InPlace")
    eventually(lambda: config(api, namespace)[:2] == ("qwen3_vllm", "compact"), "the scenario is laid over")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": 200}})
    eventually(lambda: config(api, namespace) == ("qwen3_vllm", "compact", 200), "the edit is carried out under it")
    assert operator.process is not None
    operator.process.end(signal.SIGKILL)
    operator.start()
    roll_out(api, namespace)
    wait_for_phases(api, namespace, "Measuring", "Pending")
    assert config(api, namespace) == ("qwen3_vllm", "compact", 200), "an operator's end changes nothing"
    assert operator.stop() == 0
    api.delete("rerankerbenchmarks", namespace, "matrix")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"instructionFormat": "standard"}})
    operator.start()
    eventually(lambda: config(api, namespace) == ("qwen3_vllm_score", "standard", 200), "its own spec, as edited")
    eventually(lambda: told(api, namespace) == {}, "nothing stays of the benchmark")
    eventually(lambda: api.get("jobs", namespace, "matrix-s1") is None, "its Job is gone")


def test_restarted_operator_goes_on_and_measures_nothing_twice(api: Api, namespace: str, operator: Operator):
    start(api, namespace)
    bring_up(api, namespace, "matrix-s1")
    end_job(api, namespace, "matrix-s1", mean=300.0)
    wait_for_phases(api, namespace, "Succeeded", "Pending")
    assert operator.process is not None
    operator.process.end(signal.SIGKILL)
    first = api.get("jobs", namespace, "matrix-s1")
    operator.start()
    wait_until_gone(api, namespace, "matrix-s1")
    bring_up(api, namespace, "matrix-s2")
    job_pod(api, namespace, "matrix-s2")
    assert operator.stop() == 0
    end_job(api, namespace, "matrix-s2")  # while nobody looks
    operator.start()
    status = wait_for_phases(api, namespace, "Succeeded", "Succeeded")
    assert status["scenarios"][0]["results"][0]["meanMs"] == 310
    again = api.get("jobs", namespace, "matrix-s1")
    assert first is not None
    assert again is not None
    assert again["metadata"]["uid"] == first["metadata"]["uid"]


def test_deletion_in_the_middle_removes_everything(api: Api, namespace: str):
    start(api, namespace)
    bring_up(api, namespace, "matrix-s1")
    job_pod(api, namespace, "matrix-s1")
    api.delete("rerankerbenchmarks", namespace, "matrix")

    def left() -> list[str]:
        belonging = "reranker.dev/benchmark=matrix"
        kinds = ("rerankerdeployments", "jobs", "pods")
        return [
            f"{kind} {item['metadata']['name']}" for kind in kinds for item in alive(api, kind, namespace, belonging)
        ]

    eventually(lambda: not left(), "nothing is left")
    assert api.get("rerankerdeployments", namespace, "products") is not None


def alive(api: Api, kind: str, namespace: str, selector: str) -> list[Object]:
    """Objects that aren't going: without a kubelet a pod's end is never seen."""
    return [item for item in api.list(kind, namespace, selector) if "deletionTimestamp" not in item["metadata"]]


def test_second_benchmark_in_place_waits_for_its_turn(api: Api, namespace: str):
    start(api, namespace, mode="InPlace", scenarios=[COMPACT])
    eventually(lambda: phases(api, namespace) == ["Preparing"], "the first one has begun")
    start(api, namespace, "later", mode="InPlace", scenarios=[STANDARD])
    eventually(lambda: condition(api, namespace, "later") == ("False", "TargetBusy"), "the second one waits")
    assert config(api, namespace)[:2] == ("qwen3_vllm", "compact")
    api.delete("rerankerbenchmarks", namespace, "matrix")
    eventually(lambda: config(api, namespace)[:2] == ("qwen3_vllm", "standard"), "it is its turn")


def test_time_to_live_ends_it_all(api: Api, namespace: str):
    start(api, namespace, scenarios=[COMPACT], ttlSecondsAfterFinished=2)
    bring_up(api, namespace, "matrix-s1")
    end_job(api, namespace, "matrix-s1")
    wait_for_phases(api, namespace, "Succeeded")
    eventually(lambda: api.get("rerankerbenchmarks", namespace, "matrix") is None, "it is deleted")
    eventually(lambda: not alive(api, "jobs", namespace, "reranker.dev/benchmark=matrix"), "its Job is gone")
    eventually(lambda: told(api, namespace).get("best"), "the target still tells of it")


def test_gpu_that_is_not_free_fails_the_scenario(api: Api, namespace: str):
    model = {"name": "Qwen/Qwen3-Reranker-0.6B"}
    api.create("rerankerdeployments", reranker(namespace, gpu={"type": "t4"}, model=model))
    start(api, namespace, scenarios=[COMPACT], gpuWaitTimeout="1s")
    (pod,) = new_pods(api, namespace, name="matrix-s1")
    unschedulable = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    set_status(api, pod, {"phase": "Pending", "conditions": [unschedulable]})
    status = wait_for_phases(api, namespace, "Failed")
    assert status["scenarios"][0]["reason"] == "NoFreeGPU"
    eventually(lambda: api.get("rerankerdeployments", namespace, "matrix-s1") is None, "it waits for the GPU no longer")
    assert condition(api, namespace) == ("True", "ScenariosFailed")


def test_policy_that_forbids_its_objects_fails_the_scenario_with_the_cause(api: Api, namespace: str):
    quota = {"metadata": {"name": "none", "namespace": namespace}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    api.create("resourcequotas", quota)
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/none/status"
    api.call(
        "PATCH",
        path,
        {"status": {"hard": {"count/jobs.batch": "0"}, "used": {"count/jobs.batch": "0"}}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    start(api, namespace, scenarios=[COMPACT])
    bring_up(api, namespace, "matrix-s1")
    status = wait_for_phases(api, namespace, "Failed")
    assert status["scenarios"][0]["reason"] == "Rejected"
    assert "exceeded quota" in status["scenarios"][0]["message"]
