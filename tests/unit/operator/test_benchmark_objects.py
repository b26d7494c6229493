"""What is made for a scenario: the Job, the temporary reranker, and the figures as metrics."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.unit.operator.benchmark_world import FOUR, World, benchmark, message, reranker
from tests.unit.operator.builders import make_settings

from reranker_operator.api.benchmark import RerankerBenchmarkSpec
from reranker_operator.benchmark_metrics import BenchmarkFigures
from reranker_operator.benchmark_results import SummaryError, read_summary
from reranker_operator.desired.benchmark_job import Measured, results_file, scenario_job
from reranker_operator.desired.benchmark_reranker import overlaid_spec, temporary_reranker
from reranker_operator.desired.benchmark_run import BenchmarkRun


def make_run(**spec: Any) -> BenchmarkRun:
    whole = {"deploymentRef": {"name": "products"}, "scenarios": FOUR, **spec}
    parsed = RerankerBenchmarkSpec.model_validate(whole)
    return BenchmarkRun("matrix", "shop", "0123456789ab", parsed, make_settings())


def pod_of(target: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    job = scenario_job(make_run(**spec), 1, Measured("matrix-s2", target or {}), 60)
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def arguments_of(target: dict[str, Any] | None = None, **spec: Any) -> list[str]:
    found: list[str] = pod_of(target, **spec)["containers"][0]["args"]
    return found


def test_tool_is_told_the_whole_method():
    assert arguments_of(documents=[10, 20], repeat=2, seed=42, timeout="1m30s", concurrency=4) == [
        "run", "10,20", "--quiet-runs",
        "--url=http://matrix-s2.shop.svc:8000", "--wait=120",
        "--expect-backend=qwen3_vllm", "--expect-instruction-format=standard",
        "--repeat=2", "--seed=42", "--query=健身女生T恤短袖", "--warmup-requests=3", "--warmup-documents=400",
        "--timeout=90", "--tag=matrix", "--json-summary-out=-", "--termination-log=/dev/termination-log",
        "--concurrency=4",
    ]  # fmt: skip


@pytest.mark.parametrize("query", ["--url=http://elsewhere", "a $(HOME) $$ b", "two\nlines"])
def test_query_is_text_whatever_it_holds(query: str):
    (argument,) = [argument for argument in arguments_of(query=query) if argument.startswith("--query=")]
    kubernetes_makes_of_it = argument.replace("$$", "$")
    assert kubernetes_makes_of_it == f"--query={query}"


def test_pod_is_hardened_and_has_no_right_towards_the_api():
    pod = pod_of()
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = pod["containers"][0]["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert pod["restartPolicy"] == "Never"


def test_pods_are_labelled_so_that_policies_can_admit_them():
    job = scenario_job(make_run(), 0, Measured("matrix-s1", {}), 60)
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "benchmark"
    assert labels["app.kubernetes.io/managed-by"] == "reranker-operator"
    assert labels["reranker.dev/benchmark"] == "matrix"
    assert labels["app.kubernetes.io/name"] != "reranker", "monitors of rerankers must not scrape it"
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 60)


def test_raw_results_go_to_the_volume_under_a_name_of_their_own():
    run = make_run(results={"claimName": "results", "path": "a/b"})
    assert results_file(run, 1) == "a/b/matrix-01234567-qwen3_vllm-standard.json"
    pod = scenario_job(run, 1, Measured("matrix-s2", {}), 60)["spec"]["template"]["spec"]
    assert {"name": "results", "persistentVolumeClaim": {"claimName": "results"}} in pod["volumes"]
    (container,) = pod["containers"]
    assert {"name": "results", "mountPath": "/results", "subPath": "a/b"} in container["volumeMounts"]
    assert "--json-summary-out=/results/matrix-01234567-qwen3_vllm-standard.json" in container["args"]


@pytest.mark.parametrize(
    ("titles", "volume"),
    [
        (
            {"configMap": {"name": "mine", "key": "a.txt"}},
            {"configMap": {"name": "mine", "items": [{"key": "a.txt", "path": "titles.txt"}]}},
        ),
        (
            {"pvc": {"claimName": "mine", "path": "titles.txt"}},
            {"persistentVolumeClaim": {"claimName": "mine", "readOnly": True}},
        ),
    ],
)
def test_titles_come_from_where_the_spec_says(titles: dict[str, Any], volume: dict[str, Any]):
    pod = pod_of(titles=titles)
    assert {"name": "titles", **volume} in pod["volumes"]
    assert "--titles=/etc/reranker-bench/titles/titles.txt" in pod["containers"][0]["args"]


def test_key_of_the_measured_reranker_is_used():
    pod = pod_of({"auth": {"apiKeySecretRef": {"name": "keys", "key": "bench"}}})
    secret = {"secretName": "keys", "items": [{"key": "bench", "path": "key"}]}
    assert {"name": "auth", "secret": secret} in pod["volumes"]
    assert "--api-key-file=/etc/reranker-bench/auth/key" in pod["containers"][0]["args"]


def test_images_places_and_secrets_are_those_of_spec_and_configuration():
    spec = {
        "image": "mine:1",
        "imagePullSecrets": [{"name": "b"}, {"name": "a"}],
        "job": {"nodeSelector": {"pool": "clients"}, "tolerations": [{"operator": "Exists"}],
                "resources": {"limits": {"cpu": 2}}},
    }  # fmt: skip
    run = BenchmarkRun(
        "matrix", "shop", "u", make_run(**spec).spec, make_settings(imagePullSecrets=["a"], images={"bench": "ours:1"})
    )
    pod = scenario_job(run, 0, Measured("x", {}), 60)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "mine:1"
    assert pod["containers"][0]["resources"] == {"limits": {"cpu": 2}}
    assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert (pod["nodeSelector"], pod["tolerations"]) == ({"pool": "clients"}, [{"operator": "Exists"}])
    without = BenchmarkRun("matrix", "shop", "u", make_run().spec, run.settings)
    job = scenario_job(without, 0, Measured("x", {}), 60)
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "ours:1"


def test_temporary_reranker_is_one_pod_of_the_targets_spec_with_the_scenario():
    target = reranker(
        replicas=7, maxModelLen=200, autoscaling={"minReplicas": 1}, expose={"ingress": {}},
        rollout={"strategy": "Surge", "drainTimeout": "30s"}, gpu={"type": "t4"},
        podTemplate={"metadata": {"labels": {"team": "search"}}, "nodeSelector": {"a": "b"}},
    )["spec"]  # fmt: skip
    made = temporary_reranker(make_run(), 1, target)
    assert made["metadata"]["name"] == "matrix-s2"
    assert made["metadata"]["ownerReferences"][0]["kind"] == "RerankerBenchmark"
    spec = made["spec"]
    assert (spec["backend"], spec["instructionFormat"], spec["replicas"]) == ("qwen3_vllm", "standard", 1)
    assert (spec["maxModelLen"], spec["gpu"]) == (200, {"type": "t4"})
    assert not {"autoscaling", "expose"} & spec.keys()
    assert spec["podTemplate"]["nodeSelector"] == {"a": "b"}
    assert spec["podTemplate"]["metadata"]["labels"] == {"team": "search", "reranker.dev/benchmark": "matrix"}
    assert "reranker.dev/benchmark" not in target["podTemplate"]["metadata"]["labels"], "the target's own is untouched"


@pytest.mark.parametrize(
    ("backend", "engine"),
    [("qwen3_packed", {"quantization": "fp8", "inferBatchSize": 9}), ("qwen3_vllm", {"inferBatchSize": 9})],
)
def test_scenario_is_computed_in_fp8_only_where_its_backend_can(backend: str, engine: dict[str, Any]):
    target = reranker(backend="qwen3_packed", engine={"quantization": "fp8", "inferBatchSize": 9})["spec"]
    assert overlaid_spec(target, backend, "compact")["engine"] == engine
    assert target["engine"]["quantization"] == "fp8", "the target's own is untouched"


@pytest.mark.parametrize(
    ("cache", "copied"),
    [
        ({"size": "9Gi", "accessMode": "ReadWriteMany"}, {"existingClaim": "products-cache"}),
        ({"size": "9Gi"}, {"size": "9Gi"}),
        ({"existingClaim": "shared"}, {"existingClaim": "shared"}),
    ],
)
def test_copy_reads_the_targets_cache_where_several_nodes_may(cache: dict[str, str], copied: dict[str, str]):
    target = reranker(model={"name": "a/b", "cache": cache})["spec"]
    assert temporary_reranker(make_run(), 0, target)["spec"]["model"] == {"name": "a/b", "cache": copied}


@pytest.mark.parametrize("text", ["", "Killed", "[]", "{", '"text"', '{"cells": [{"n": 1}]}', '{"lost": -1}'])
def test_message_that_is_no_summary_is_an_error(text: str):
    with pytest.raises(SummaryError):
        read_summary(text)


def test_summary_of_a_newer_tool_is_read():
    summary = read_summary(message(samples=2, more={"a": 1}, cells_left_out=1))
    assert (summary.samples, summary.sizes_left_out, summary.model) == (4, 1, "tiny")


def test_figures_of_a_benchmark_are_metrics_until_it_is_gone():
    world = World(benchmark(scenarios=FOUR[:1]))
    world.run_scenario(message(mean=50.0))
    registry = CollectorRegistry()
    figures = BenchmarkFigures(registry)
    figures.put("shop", "matrix", "products", world.status)
    text = generate_latest(registry).decode()
    labels = (
        'backend="qwen3_vllm",benchmark="matrix",deployment="products",documents="20",'
        'instruction_format="compact",namespace="shop"'
    )
    samples = {
        name.partition("{")[0]: value
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if 'documents="20"' in line)
        if set(name.partition("{")[2].rstrip("}").split(",")) == set(labels.split(","))
    }
    assert {name: float(value) for name, value in samples.items()} == {
        "reranker_operator_benchmark_mean_seconds": 1.0,
        "reranker_operator_benchmark_p50_seconds": 1.0,
        "reranker_operator_benchmark_p95_seconds": 0.002,
        "reranker_operator_benchmark_samples": 3,
        "reranker_operator_benchmark_errors": 0,
    }
    assert "reranker_operator_benchmark_phase{" in text
    figures.forget("shop", "matrix")
    assert "{" not in "".join(line for line in generate_latest(registry).decode().splitlines() if line[0] != "#")
