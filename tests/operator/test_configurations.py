"""Each configuration of the service has a ConfigMap of its own, which lasts as long as pods may need it."""

import pytest
from tests.operator.api import Api, Object, eventually
from tests.operator.resources import (
    config_map_name,
    make_ready,
    new_pods,
    pods_of,
    reranker,
    service_config,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("operator")


def maps(api: Api, namespace: str) -> set[str]:
    """The names of all configurations that are there."""
    found = api.list("configmaps", namespace, "app.kubernetes.io/instance=products")
    return {item["metadata"]["name"] for item in found}


def map_of(pod: Object) -> str:
    return config_map_name({"spec": {"template": pod}})


def roll_out(api: Api, namespace: str, length: int, besides: list[Object]) -> list[Object]:
    """Change the configuration and have the new pod serve; the new pod."""
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": length}})
    pods = new_pods(api, namespace, besides=besides)
    make_ready(api, *pods)
    wait_for(api, namespace, Progressing="RolloutComplete")
    return pods


def test_pod_that_starts_anew_while_a_change_rolls_out_reads_its_own_configuration(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace, maxModelLen=100))
    (old,) = new_pods(api, namespace)
    make_ready(api, old)
    wait_for(api, namespace, Progressing="RolloutComplete")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": 200}})
    (new,) = new_pods(api, namespace, besides=[old])
    assert map_of(new) != map_of(old)

    api.delete("pods", namespace, old["metadata"]["name"])

    def replaced() -> Object | None:
        others = [pod for pod in pods_of(api, namespace) if pod["metadata"]["name"] != old["metadata"]["name"]]
        return next((pod for pod in others if map_of(pod) == map_of(old)), None)

    eventually(replaced, "another pod of the old template is there")
    kept = api.get("configmaps", namespace, map_of(old))
    assert kept is not None
    assert "max_model_len: 100" in kept["data"]["config.yaml"]
    config = service_config(api, namespace)
    assert config is not None
    assert config["backends"]["qwen3_vllm_score"]["max_model_len"] == 200


def test_configuration_lasts_as_long_as_a_replica_set_may_bring_its_pods_back(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace, maxModelLen=100))
    first = new_pods(api, namespace)
    make_ready(api, *first)
    wait_for(api, namespace, Progressing="RolloutComplete")
    second = roll_out(api, namespace, 200, first)
    assert maps(api, namespace) == {map_of(first[0]), map_of(second[0])}
    back = roll_out(api, namespace, 100, second)
    assert map_of(back[0]) == map_of(first[0])

    for item in api.list("replicasets", namespace, "app.kubernetes.io/instance=products"):
        if config_map_name(item) == map_of(second[0]):
            api.delete("replicasets", namespace, item["metadata"]["name"])

    def pruned() -> bool:
        touch = {"metadata": {"annotations": {"touched": str(len(maps(api, namespace)))}}}
        api.patch("pods", namespace, back[0]["metadata"]["name"], touch)
        return maps(api, namespace) == {map_of(first[0])}

    eventually(pruned, "the configuration that nothing needs is gone")


def test_configuration_of_an_earlier_operator_goes_with_its_pods(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace))
    new_pods(api, namespace)
    present = next(iter(maps(api, namespace)))
    made = api.get("configmaps", namespace, present)
    assert made is not None
    metadata = {key: made["metadata"][key] for key in ("labels", "ownerReferences", "namespace")}
    api.create("configmaps", {"metadata": {**metadata, "name": "products-config"}, "data": made["data"]})
    eventually(lambda: maps(api, namespace) == {present}, "the old one is gone")
