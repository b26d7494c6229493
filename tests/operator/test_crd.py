"""What the real API server makes of a RerankerDeployment: defaults, what it keeps whole, what kubectl shows of it."""

import subprocess
import sys
from pathlib import Path

from tests.operator.api import Api
from tests.operator.conftest import CRD
from tests.operator.resources import reranker, try_to_create, with_, with_pods

from reranker_operator.api.deployment import RerankerDeploymentSpec


def test_server_fills_in_the_defaults_that_the_models_have(api: Api):
    filled = try_to_create(api, with_())["spec"]
    without_absent = RerankerDeploymentSpec.model_validate(with_()).as_object()
    assert filled == without_absent
    assert filled["engine"]["inferBatchSize"] == 100
    assert filled["limits"]["requestTimeout"] == "60s"


def test_extra_arguments_are_kept_whole(api: Api):
    arguments = {"block_size": 32, "nested": {"deep": [1, {"a": None}]}, "on": True}
    assert try_to_create(api, with_(engine={"extraArgs": arguments}))["spec"]["engine"]["extraArgs"] == arguments


def test_opaque_parts_of_pods_are_kept_whole(api: Api):
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    volume = {"name": "extra", "configMap": {"name": "x", "items": [{"key": "a", "path": "b"}]}}
    filled = try_to_create(api, with_pods(affinity=affinity, volumes=[volume]))["spec"]["podTemplate"]
    assert filled == {"affinity": affinity, "volumes": [volume]}


def test_table_of_kubectl_get(api: Api):
    api.create("rerankerdeployments", reranker("default", "shown", gpu={"type": "t4"}))
    path = "/apis/reranker.dev/v1alpha1/namespaces/default/rerankerdeployments"
    table = api.call("GET", path, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    columns = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert columns == ["Name", "Backend", "Format", "GPU", "Ready", "Verified", "Age"]
    row = next(row for row in table["rows"] if row["cells"][0] == "shown")
    assert row["cells"][1:4] == ["qwen3_vllm_score", "compact", "t4"]
    api.delete("rerankerdeployments", "default", "shown")


def test_short_name_and_category_are_served(api: Api):
    resources = api.call("GET", "/apis/reranker.dev/v1alpha1")["resources"]
    served = next(resource for resource in resources if resource["name"] == "rerankerdeployments")
    assert (served["shortNames"], served["categories"]) == (["rrd"], ["reranker"])


def test_committed_crd_is_what_the_models_say(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "reranker_operator.api.generate", tmp_path], check=True)
    assert (tmp_path / CRD.name).read_text() == CRD.read_text()
