"""Every default and every rule of the RerankerBenchmark's CRD, asked of the real API server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.operator.api import Api, Object, Rejected
from tests.operator.conftest import CRDS
from tests.operator.control_plane import ROOT

from reranker_operator.api.benchmark import RerankerBenchmarkSpec

FILE = "reranker.dev_rerankerbenchmarks.yaml"
SCORE = {"backend": "qwen3_vllm_score", "instructionFormat": "compact"}
PATH = "/apis/reranker.dev/v1alpha1/namespaces/default/rerankerbenchmarks"


def manifest(name: str = "matrix", **spec: Any) -> Object:
    metadata = {"name": name, "namespace": "default"}
    whole = {"deploymentRef": {"name": "products"}, **spec}
    return {"apiVersion": "reranker.dev/v1alpha1", "kind": "RerankerBenchmark", "metadata": metadata, "spec": whole}


def create(api: Api, name: str = "matrix", **spec: Any) -> Object:
    return api.create("rerankerbenchmarks", manifest(name, **spec), dry_run=True)


# Each line: what is accepted, the same with a fault, and a part of what the user reads then.
RULES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a target is named": ({}, {"deploymentRef": {"name": ""}}, "spec.deploymentRef.name"),
    "a target is needed": ({}, {"deploymentRef": None}, "spec.deploymentRef"),
    "mode is known": ({"mode": "InPlace"}, {"mode": "Parallel"}, 'supported values: "Dedicated", "InPlace"'),
    "some scenario": ({"scenarios": [SCORE]}, {"scenarios": []}, "spec.scenarios"),
    "a scenario has a backend": (
        {"scenarios": [SCORE]},
        {"scenarios": [{"instructionFormat": "compact"}]},
        "spec.scenarios[0].backend",
    ),
    "a scenario has a format": (
        {"scenarios": [SCORE]},
        {"scenarios": [{"backend": "qwen3_vllm"}]},
        "spec.scenarios[0].instructionFormat",
    ),
    "a scenario's backend is known": (
        {"scenarios": [SCORE]},
        {"scenarios": [{**SCORE, "backend": "bm25"}]},
        "spec.scenarios[0].backend",
    ),
    "no scenario twice": (
        {"scenarios": [SCORE, {**SCORE, "instructionFormat": "standard"}]},
        {"scenarios": [SCORE, SCORE]},
        "the same scenario is there twice",
    ),
    "not too many scenarios": ({"scenarios": [SCORE]}, {"scenarios": [SCORE] * 17}, "spec.scenarios"),
    "some size": ({"documents": [1]}, {"documents": []}, "spec.documents"),
    "sizes are positive": ({"documents": [1]}, {"documents": [0]}, "spec.documents[0]"),
    "sizes have a ceiling": ({"documents": [100000]}, {"documents": [100001]}, "spec.documents[0]"),
    "no size twice": ({"documents": [10, 20]}, {"documents": [10, 20, 10]}, "the same number is there twice"),
    "the summary has room": (
        {"documents": list(range(1, 21))},
        {"documents": list(range(1, 22))},
        "spec.documents: Too many: 21: must have at most 20 items",
    ),
    "repeat is positive": ({"repeat": 1}, {"repeat": 0}, "spec.repeat"),
    "warm-ups may be none": ({"warmup": {"requests": 0}}, {"warmup": {"requests": -1}}, "spec.warmup.requests"),
    "warm-ups have documents": ({"warmup": {"documents": 1}}, {"warmup": {"documents": 0}}, "spec.warmup.documents"),
    "seed isn't negative": ({"seed": 0}, {"seed": -1}, "spec.seed"),
    "query isn't empty": ({"query": "--shoes"}, {"query": ""}, "spec.query"),
    "titles come from one place": (
        {"titles": {"configMap": {"name": "titles"}}},
        {"titles": {"configMap": {"name": "titles"}, "pvc": {"claimName": "titles"}}},
        "exactly one of configMap and pvc must be given",
    ),
    "titles come from some place": (
        {"titles": {"pvc": {"claimName": "titles", "path": "a/b.txt"}}},
        {"titles": {}},
        "exactly one of configMap and pvc must be given",
    ),
    "titles stay within their volume": (
        {"titles": {"pvc": {"claimName": "titles", "path": "a.txt"}}},
        {"titles": {"pvc": {"claimName": "titles", "path": "../a.txt"}}},
        "spec.titles.pvc.path",
    ),
    "a key is a file's name": (
        {"titles": {"configMap": {"name": "titles", "key": "a.txt"}}},
        {"titles": {"configMap": {"name": "titles", "key": "a/b"}}},
        "spec.titles.configMap.key",
    ),
    "timeout is a duration": ({"timeout": "90s"}, {"timeout": "90"}, "spec.timeout"),
    "timeout has a ceiling": ({"timeout": "1h"}, {"timeout": "61m"}, "timeout must be between 1s and 1h"),
    "concurrency is positive": ({"concurrency": 8}, {"concurrency": 0}, "spec.concurrency"),
    "a scenario has time": (
        {"scenarioTimeout": "10s"},
        {"scenarioTimeout": "9s"},
        "scenarioTimeout must be between 10s and 24h",
    ),
    "waiting for a GPU may be off": (
        {"gpuWaitTimeout": "0s"},
        {"gpuWaitTimeout": "25h"},
        "gpuWaitTimeout must be between 0s and 24h",
    ),
    "time to live isn't negative": (
        {"ttlSecondsAfterFinished": 0},
        {"ttlSecondsAfterFinished": -1},
        "spec.ttlSecondsAfterFinished",
    ),
    "results stay within their volume": (
        {"results": {"claimName": "results", "path": "a/b"}},
        {"results": {"claimName": "results", "path": "/a"}},
        "spec.results.path",
    ),
    "tolerations are checked": (
        {"job": {"tolerations": [{"operator": "Exists"}]}},
        {"job": {"tolerations": [{"operator": "Sometimes"}]}},
        "spec.job.tolerations[0].operator",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_accepts(api: Api, rule: str):
    accepted, _, _ = RULES[rule]
    create(api, **accepted)


@pytest.mark.parametrize("rule", RULES)
def test_rule_rejects(api: Api, rule: str):
    _, rejected, message = RULES[rule]
    with pytest.raises(Rejected) as caught:
        create(api, **rejected)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["a", "matrix-2", "a" * 52])
def test_name_that_leaves_room_for_its_children_is_accepted(api: Api, name: str):
    create(api, name)


@pytest.mark.parametrize("name", ["2-matrix", "matrix.eu", "a" * 53])
def test_other_name_is_rejected(api: Api, name: str):
    with pytest.raises(Rejected, match="the name becomes that of a Service"):
        create(api, name)


def test_server_fills_in_the_defaults_of_the_method(api: Api):
    filled = create(api)["spec"]
    assert filled == RerankerBenchmarkSpec.model_validate({"deploymentRef": {"name": "products"}}).as_object()
    assert filled["documents"] == [100, 200, 400, 600, 800, 1000]
    assert (filled["repeat"], filled["seed"], filled["query"]) == (5, 99, "健身女生T恤短袖")
    assert (filled["warmup"], filled["timeout"]) == ({"requests": 3, "documents": 400}, "360s")
    assert len(filled["scenarios"]) == 4
    assert filled["mode"] == "Dedicated"


@pytest.fixture
def kept(api: Api) -> Iterator[str]:
    """A benchmark that stays: its target isn't there."""
    api.create("rerankerbenchmarks", manifest("kept", titles={"configMap": {"name": "titles"}}))
    yield "kept"
    api.delete("rerankerbenchmarks", "default", "kept")


@pytest.mark.parametrize(
    "change",
    [
        {"documents": [1]},
        {"query": "shoes"},
        {"mode": "InPlace"},
        {"titles": None},
        {"results": {"claimName": "results"}},
        {"job": {"nodeSelector": {"a": "b"}}},
    ],
    ids=str,
)
def test_what_decides_on_the_figures_cannot_be_changed(api: Api, kept: str, change: dict[str, Any]):
    with pytest.raises(Rejected, match="a benchmark can't be changed, except for ttlSecondsAfterFinished"):
        api.patch("rerankerbenchmarks", "default", kept, {"spec": change})


def test_time_to_live_can_be_changed(api: Api, kept: str):
    changed = api.patch("rerankerbenchmarks", "default", kept, {"spec": {"ttlSecondsAfterFinished": 5}})
    assert changed["spec"]["ttlSecondsAfterFinished"] == 5


def test_every_field_is_named_in_the_rule_or_may_change():
    fields = {field.alias for field in RerankerBenchmarkSpec.model_fields.values()}
    (rule,) = RerankerBenchmarkSpec.model_config["json_schema_extra"]["x-kubernetes-validations"]  # type: ignore[index]
    kept_fields = {field for field in fields if f"has(self.{field}) == has(oldSelf.{field})" in rule["rule"]}
    assert fields - kept_fields == {"ttlSecondsAfterFinished"}


def test_table_of_kubectl_get(api: Api, kept: str):
    best = {"backend": "b", "instructionFormat": "f", "documents": 9, "meanMs": 1.5, "summary": "b/f 1.5 ms (n=9)"}
    status = {"phase": "Running", "done": "2/4", "best": best}
    api.patch("rerankerbenchmarks", "default", kept, {"status": status}, subresource="status")
    table = api.call("GET", PATH, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    columns = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert columns == ["Name", "Target", "Phase", "Done", "Best", "Age"]
    row = next(row for row in table["rows"] if row["cells"][0] == kept)
    assert row["cells"][1:5] == ["products", "Running", "2/4", "b/f 1.5 ms (n=9)"]


def test_examples_are_accepted(api: Api):
    matrix = yaml.safe_load((ROOT / "examples/benchmark-matrix.yaml").read_text())
    nightly = list(yaml.safe_load_all((ROOT / "examples/benchmark-cronjob.yaml").read_text()))
    files = nightly[0]["data"]
    for example in (matrix, json.loads(files["benchmark.json"])):
        example["metadata"]["namespace"] = "default"
        api.create("rerankerbenchmarks", example, dry_run=True)
    compile(files["create.py"], "create.py", "exec")
    script = nightly[-1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["command"][1]
    assert script.rpartition("/")[2] in files


def test_short_name_and_category_are_served(api: Api):
    resources = api.call("GET", "/apis/reranker.dev/v1alpha1")["resources"]
    served = next(resource for resource in resources if resource["name"] == "rerankerbenchmarks")
    assert (served["shortNames"], served["categories"]) == (["rrb"], ["reranker"])


def test_committed_crd_is_what_the_models_say(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "reranker_operator.api.generate", tmp_path], check=True)
    assert (tmp_path / FILE).read_text() == (CRDS / FILE).read_text()
