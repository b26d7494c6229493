"""What the operator makes of a RerankerDeployment, and that it stays so."""

import time
from typing import Any

import pytest
from tests.operator.api import Api, Object, Rejected, eventually
from tests.operator.conftest import Operator
from tests.operator.resources import (
    conditions,
    config_map,
    make_ready,
    new_pods,
    pods_of,
    reranker,
    service_config,
    wait_for,
)

CHILDREN = ("deployments", "services", "configmaps", "serviceaccounts")

pytestmark = pytest.mark.usefixtures("operator")


def children(api: Api, namespace: str) -> dict[str, Object]:
    """The children that there always are; fails where one isn't there."""
    found = {plural: api.get(plural, namespace, "products") for plural in CHILDREN}
    found["configmaps"] = config_map(api, namespace)
    assert None not in found.values(), found
    return {plural: child for plural, child in found.items() if child is not None}


def create(api: Api, namespace: str, **spec: Any) -> dict[str, Object]:
    """Create a RerankerDeployment; its children, once they are there."""
    api.create("rerankerdeployments", reranker(namespace, **spec))
    return eventually(lambda: children(api, namespace), "the children are there")


def config(api: Api, namespace: str) -> dict[str, Any]:
    """The service's configuration."""
    found = service_config(api, namespace)
    assert found is not None
    return found


def change(api: Api, namespace: str, **spec: Any) -> None:
    api.patch("rerankerdeployments", namespace, "products", {"spec": spec})


def versions(api: Api, namespace: str) -> dict[str, str]:
    """The resource versions of the resource and all that belongs to it."""
    objects = [*children(api, namespace).values(), api.get("rerankerdeployments", namespace, "products")]
    objects += api.list("events", namespace) + api.list("replicasets", namespace)
    return {
        f"{number} {item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for number, item in enumerate(objects)
        if item is not None
    }


def test_resource_becomes_configmap_service_deployment_and_pods(api: Api, namespace: str):
    made = create(api, namespace, instructionFormat="standard", maxModelLen=200)

    owner = api.get("rerankerdeployments", namespace, "products")
    assert owner is not None
    for child in made.values():
        (reference,) = child["metadata"]["ownerReferences"]
        assert (reference["uid"], reference["controller"]) == (owner["metadata"]["uid"], True)
        assert child["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "reranker-operator"
    rerank = config(api, namespace)
    assert rerank["backend"] == "qwen3_vllm_score"
    assert rerank["backends"]["qwen3_vllm_score"]["instruction_format"] == "standard"
    assert rerank["backends"]["qwen3_vllm_score"]["max_model_len"] == 200
    (port,) = made["services"]["spec"]["ports"]
    assert (port["name"], port["port"], port["targetPort"]) == ("http", 8000, "http")
    (pod,) = new_pods(api, namespace)  # the namespace lets in restricted pods only
    assert made["services"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["containers"][0]["image"] == "reranker-service-cpu:test"


def test_gpu_profile_decides_on_resource_nodes_and_image(api: Api, namespace: str):
    create(api, namespace, gpu={"type": "t4", "count": 2}, model={"name": "Qwen/Qwen3-Reranker-0.6B"})
    wait_for(api, namespace, Accepted="SpecValid")
    (pod,) = new_pods(api, namespace)
    container = pod["spec"]["containers"][0]
    assert container["image"] == "reranker-service:test"
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "2"}, "requests": {"nvidia.com/gpu": "2"}}
    assert pod["spec"]["nodeSelector"] == {"nvidia.com/gpu.product": "Tesla-T4"}
    assert config(api, namespace)["backends"]["qwen3_vllm_score"]["dtype"] == "float16"


@pytest.mark.parametrize(
    "spec",
    [
        {"backend": "qwen3_vllm"},
        {"instructionFormat": "standard"},
        {"engine": {"extraArgs": {"block_size": 32}}},
        {"limits": {"maxDocuments": 10}},
        {"image": "other:image"},
        {"podTemplate": {"env": [{"name": "RERANKER_X", "value": "1"}]}},
        {"podTemplate": {"metadata": {"labels": {"team": "search"}}}},
        {"podTemplate": {"priorityClassName": "system-cluster-critical"}},
    ],
    ids=lambda spec: str(spec)[1:40],
)
def test_change_rolls_the_pods(api: Api, namespace: str, spec: dict[str, Any]):
    create(api, namespace)
    before = new_pods(api, namespace)[0]["metadata"]["name"]
    change(api, namespace, **spec)

    def replaced() -> bool:
        names = {pod["metadata"]["name"] for pod in pods_of(api, namespace)}
        return len(names - {before}) == 1

    eventually(replaced, "a new pod is there")


def test_volume_of_the_model_changes_its_kind(api: Api, namespace: str):
    create(api, namespace, model={"name": "mine", "source": {"pvc": {"claimName": "weights"}}})
    source = {"pvc": None, "image": {"reference": "registry.example/weights:1", "path": "model"}}
    change(api, namespace, model={"source": source})

    def changed() -> bool:
        volumes = children(api, namespace)["deployments"]["spec"]["template"]["spec"]["volumes"]
        (volume,) = [volume for volume in volumes if volume["name"] == "model"]
        assert "persistentVolumeClaim" not in volume
        return volume["image"]["reference"] == "registry.example/weights:1"

    eventually(changed, "the volume is an image")
    assert config(api, namespace)["backends"]["qwen3_vllm_score"]["model_name"] == "/models/source/model"


def test_scaling_keeps_the_pods(api: Api, namespace: str):
    create(api, namespace)
    before = new_pods(api, namespace)[0]["metadata"]["name"]
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"replicas": 3}}, subresource="scale")
    assert before in {pod["metadata"]["name"] for pod in new_pods(api, namespace, 3)}

    scale = api.call("GET", f"/apis/reranker.dev/v1alpha1/namespaces/{namespace}/rerankerdeployments/products/scale")
    assert "app.kubernetes.io/instance=products" in scale["status"]["selector"]
    change(api, namespace, replicas=0)
    resource = wait_for(api, namespace, Available="ScaledToZero", Progressing="RolloutComplete")
    assert resource["status"]["ready"] == "0/0"


def test_changed_and_deleted_children_are_repaired_and_foreign_fields_survive(api: Api, namespace: str):
    before = create(api, namespace)
    container = {"name": "reranker", "image": "evil:image"}
    template = {"metadata": {"annotations": {"mine": "yes"}}, "spec": {"containers": [container]}}
    drift = {
        "metadata": {"annotations": {"note": "mine"}, "labels": {"app.kubernetes.io/managed-by": "me"}},
        "spec": {"replicas": 7, "template": template},
    }
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/products"
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    api.call("PATCH", path, drift, headers=strategic)
    api.delete("configmaps", namespace, before["configmaps"]["metadata"]["name"])
    api.delete("services", namespace, "products")

    def repaired() -> bool:
        now = children(api, namespace)
        deployment, wanted = now["deployments"], before["deployments"]
        assert deployment["spec"]["replicas"] == 1
        assert deployment["metadata"]["labels"] == wanted["metadata"]["labels"]
        assert deployment["spec"]["template"]["spec"] == wanted["spec"]["template"]["spec"]
        assert now["configmaps"]["metadata"]["uid"] != before["configmaps"]["metadata"]["uid"]
        assert now["configmaps"]["data"] == before["configmaps"]["data"]
        return now["services"]["metadata"]["uid"] != before["services"]["metadata"]["uid"]

    eventually(repaired, "the children are as before")
    deployment = children(api, namespace)["deployments"]
    assert deployment["metadata"]["annotations"]["note"] == "mine"
    assert deployment["spec"]["template"]["metadata"]["annotations"]["mine"] == "yes"


def test_configuration_can_not_be_changed_by_hand(api: Api, namespace: str):
    name = create(api, namespace)["configmaps"]["metadata"]["name"]
    with pytest.raises(Rejected, match="immutable"):
        api.patch("configmaps", namespace, name, {"data": {"config.yaml": "broken"}})


def test_deletion_leaves_nothing(api: Api, namespace: str):
    create(api, namespace)
    new_pods(api, namespace)
    api.delete("rerankerdeployments", namespace, "products")

    def gone() -> bool:
        left = [api.list(plural, namespace, "app.kubernetes.io/instance=products") for plural in (*CHILDREN, "pods")]
        assert not any(left), left
        return True

    eventually(gone, "all is gone", within=60)


def test_orphaned_children_are_adopted_with_their_pods(api: Api, namespace: str):
    create(api, namespace)
    (pod,) = new_pods(api, namespace)
    time.sleep(2)  # the garbage collector orphans only what it has seen, and doesn't tell what it has
    path = f"/apis/reranker.dev/v1alpha1/namespaces/{namespace}/rerankerdeployments/products"
    api.call("DELETE", path, {"propagationPolicy": "Orphan"})
    # The collector looks for new kinds every 30 s.
    eventually(lambda: api.look(path) is None, "the resource is gone", within=60)
    assert children(api, namespace)
    api.create("rerankerdeployments", reranker(namespace))
    wait_for(api, namespace, Accepted="SpecValid")
    (still,) = new_pods(api, namespace)
    assert still["metadata"]["uid"] == pod["metadata"]["uid"]


def test_namespace_goes_without_complaint(api: Api, namespace: str, operator: Operator):
    create(api, namespace)
    new_pods(api, namespace)
    path = f"/api/v1/namespaces/{namespace}"
    api.call("DELETE", path)
    eventually(lambda: api.look(path) is None, "the namespace is gone", within=40)
    complaints = [line for line in operator.log().splitlines() if f" {namespace}/" in line and " WARNING " in line]
    assert not complaints


def test_resource_recreated_at_once_gets_children_of_its_own(api: Api, namespace: str):
    create(api, namespace)
    api.delete("rerankerdeployments", namespace, "products")
    owner = api.create("rerankerdeployments", reranker(namespace, maxModelLen=100))

    def own_children() -> bool:
        uids = {child["metadata"]["ownerReferences"][0]["uid"] for child in children(api, namespace).values()}
        return uids == {owner["metadata"]["uid"]}

    eventually(own_children, "the children belong to the new resource")
    wait_for(api, namespace, Accepted="SpecValid")


def test_unknown_profile_keeps_what_runs(api: Api, namespace: str):
    create(api, namespace)
    make_ready(api, *new_pods(api, namespace))
    wait_for(api, namespace, Available="MinimumReplicasAvailable")
    before = children(api, namespace)
    change(api, namespace, gpu={"type": "t5"}, maxModelLen=99)

    resource = wait_for(
        api, namespace, Accepted="ProfileNotFound", Available="MinimumReplicasAvailable", Progressing="NotAccepted"
    )
    assert "cpu, t4" in conditions(resource)["Accepted"]["message"]
    after = children(api, namespace)
    assert after["configmaps"] == before["configmaps"]
    assert after["deployments"]["metadata"]["generation"] == before["deployments"]["metadata"]["generation"]

    change(api, namespace, gpu=None)
    wait_for(api, namespace, Accepted="SpecValid")
    assert config(api, namespace)["backends"]["qwen3_vllm_score"]["max_model_len"] == 99


def test_data_type_that_the_card_lacks_is_not_accepted(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace, gpu={"type": "t4"}, engine={"dtype": "bfloat16"}))
    wait_for(api, namespace, Accepted="DTypeUnsupported", Available="NotAccepted")
    assert not api.list("deployments", namespace)


def test_what_the_cluster_refuses_changes_no_child(api: Api, namespace: str):
    create(api, namespace)
    wait_for(api, namespace, Accepted="SpecValid")
    before = config(api, namespace)
    change(api, namespace, maxModelLen=99, podTemplate={"volumeMounts": [{"name": "missing", "mountPath": "/x"}]})
    resource = wait_for(api, namespace, Accepted="Rejected")
    assert "missing" in conditions(resource)["Accepted"]["message"]
    assert config(api, namespace) == before


def test_foreign_object_of_a_childs_name_is_left_alone(api: Api, namespace: str):
    service = {
        "metadata": {"name": "products", "namespace": namespace},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "shop"}},
    }
    theirs = api.create("services", service)
    api.create("rerankerdeployments", reranker(namespace))
    resource = wait_for(api, namespace, Accepted="NameConflict", Available="NotAccepted")
    assert "Service products is there already" in conditions(resource)["Accepted"]["message"]
    now = api.get("services", namespace, "products")
    assert now is not None
    assert now["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]
    assert not api.list("deployments", namespace)


def test_child_no_longer_wanted_is_deleted(api: Api, namespace: str):
    made = create(api, namespace)["configmaps"]
    metadata = {key: made["metadata"][key] for key in ("labels", "ownerReferences", "namespace")}
    api.create("configmaps", {"metadata": {**metadata, "name": "products-of-old"}, "data": {}})
    eventually(lambda: api.get("configmaps", namespace, "products-of-old") is None, "the old child is gone")


def test_many_edits_end_at_the_last(api: Api, namespace: str):
    create(api, namespace)
    for length in range(100, 300):
        change(api, namespace, maxModelLen=length)

    def last() -> bool:
        return config(api, namespace)["backends"]["qwen3_vllm_score"]["max_model_len"] == 299

    eventually(last, "the last edit is carried out")
    wait_for(api, namespace, Accepted="SpecValid")


def test_nothing_is_written_at_rest(api: Api, namespace: str, operator: Operator):
    create(api, namespace)
    (pod,) = new_pods(api, namespace)
    make_ready(api, pod)
    wait_for(api, namespace, Available="MinimumReplicasAvailable", Progressing="RolloutComplete", within=30)
    before, writes, passes = versions(api, namespace), operator.writes(), operator.passes()

    # Passes that find nothing to do: a pod is touched again and again.
    for number in range(5):
        api.patch("pods", namespace, pod["metadata"]["name"], {"metadata": {"annotations": {"touched": str(number)}}})
        eventually(lambda seen=passes + number: operator.passes() > seen, "a pass was made")

    assert operator.writes() == writes
    assert versions(api, namespace) == before


def test_kopf_leaves_no_trace_on_objects(api: Api, namespace: str):
    create(api, namespace)
    (pod,) = new_pods(api, namespace)
    objects = [*children(api, namespace).values(), api.get("rerankerdeployments", namespace, "products"), pod]
    for item in objects:
        assert item is not None
        assert "finalizers" not in item["metadata"]
        assert not any("kopf" in key for key in item["metadata"].get("annotations", {}))
        assert not any("kopf" in entry["manager"] for entry in item["metadata"].get("managedFields", []))
