"""Children that a spec has to ask for: made, changed with the spec, and gone when no longer wanted."""

from typing import Any

import pytest
from tests.operator.api import Api, eventually
from tests.operator.conftest import Operator
from tests.operator.resources import conditions, new_pods, reranker, wait_for

pytestmark = pytest.mark.usefixtures("operator")

HUB = {"name": "Qwen/Qwen3-Reranker-0.6B"}
CACHE = {**HUB, "cache": {"size": "5Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany"}}
INGRESS = {
    "ingress": {"host": "rerank.example", "className": "nginx", "tlsSecretName": "tls", "annotations": {"a": "b"}}
}

# What is asked for, what of it goes again, and the child: its plural and name.
ASKED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "budget": ({"replicas": 2}, {"replicas": 1}, "poddisruptionbudgets", "products"),
    "autoscaler": ({"autoscaling": {"maxReplicas": 3}}, {"autoscaling": None}, "horizontalpodautoscalers", "products"),
    "policy": (
        {"networkPolicy": {"enabled": True}},
        {"networkPolicy": {"enabled": False}},
        "networkpolicies",
        "products",
    ),
    "cache": ({"model": CACHE}, {"model": {"cache": None}}, "persistentvolumeclaims", "products-cache"),
    "ingress": ({"expose": INGRESS}, {"expose": None}, "ingresses", "products"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_child_comes_is_repaired_and_goes_with_the_spec(api: Api, namespace: str, asked: str):
    wanted, dropped, plural, name = ASKED[asked]
    api.create("rerankerdeployments", reranker(namespace))
    wait_for(api, namespace, Accepted="SpecValid")
    assert not api.list(plural, namespace)
    api.patch("rerankerdeployments", namespace, "products", {"spec": wanted})
    made = eventually(lambda: api.get(plural, namespace, name), "the child is there")
    owner = made["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["controller"]) == ("RerankerDeployment", True)

    if plural != "persistentvolumeclaims":  # which its protection keeps until no pod uses it
        api.delete(plural, namespace, name)
        eventually(
            lambda: (found := api.get(plural, namespace, name)) and found["metadata"]["uid"] != made["metadata"]["uid"],
            "the child is there again",
        )
    api.patch("rerankerdeployments", namespace, "products", {"spec": dropped})

    def gone() -> bool:
        found = api.get(plural, namespace, name)
        return found is None or "deletionTimestamp" in found["metadata"]

    eventually(gone, "the child is gone")


def test_claim_that_is_still_in_use_is_deleted_once(api: Api, namespace: str, operator: Operator):
    api.create("rerankerdeployments", {**reranker(namespace), "spec": {"model": CACHE}})
    eventually(lambda: api.get("persistentvolumeclaims", namespace, "products-cache"), "the claim is there")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"model": {"cache": None}}})

    def going() -> bool:
        claim = api.get("persistentvolumeclaims", namespace, "products-cache")
        return claim is not None and "deletionTimestamp" in claim["metadata"]

    eventually(going, "the claim is deleted, and kept by its protection")
    wait_for(api, namespace, Accepted="SpecValid")
    new_pods(api, namespace)
    writes, passes = operator.writes(), operator.passes()
    labels = {"metadata": {"annotations": {"touched": "yes"}}}
    api.patch("services", namespace, "products", labels)
    eventually(lambda: operator.passes() > passes, "a pass was made")
    assert operator.writes() <= writes + 1  # the Service, which someone has written


def test_autoscaler_scales_the_resource_itself(api: Api, namespace: str):
    spec = {"autoscaling": {"minReplicas": 2, "maxReplicas": 5, "targetQueuedDocuments": 250}, "replicas": 2}
    api.create("rerankerdeployments", reranker(namespace, **spec))
    made = eventually(lambda: api.get("horizontalpodautoscalers", namespace, "products"), "the autoscaler is there")
    target = {"apiVersion": "reranker.dev/v1alpha1", "kind": "RerankerDeployment", "name": "products"}
    assert made["spec"]["scaleTargetRef"] == target
    assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (2, 5)
    (metric,) = made["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == "reranker_queued_documents"
    assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": "250"}
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"replicas": 0}})
    eventually(
        lambda: api.get("horizontalpodautoscalers", namespace, "products") is None, "with 0 replicas it does not scale"
    )


def test_headless_service_resolves_to_pods(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace))
    made = eventually(lambda: api.get("services", namespace, "products-pods"), "the Service is there")
    assert made["spec"]["clusterIP"] == "None"
    assert made["spec"]["selector"]["app.kubernetes.io/instance"] == "products"


def test_claim_is_what_the_pods_mount(api: Api, namespace: str):
    api.create("rerankerdeployments", {**reranker(namespace), "spec": {"model": CACHE}})
    claim = eventually(lambda: api.get("persistentvolumeclaims", namespace, "products-cache"), "the claim is there")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    deployment = eventually(lambda: api.get("deployments", namespace, "products"), "the Deployment is there")
    volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    assert volumes["cache"]["persistentVolumeClaim"]["claimName"] == "products-cache"


def test_policy_admits_clients_operator_benchmarks_and_prometheus(api: Api, namespace: str):
    peer = {"namespaceSelector": {"matchLabels": {"team": "search"}}}
    api.create("rerankerdeployments", reranker(namespace, networkPolicy={"enabled": True, "allowFrom": [peer]}))
    made = eventually(lambda: api.get("networkpolicies", namespace, "products"), "the policy is there")
    (rule,) = made["spec"]["ingress"]
    labels = [tuple(each.get("podSelector", {}).get("matchLabels", {}).values()) for each in rule["from"]]
    assert rule["from"][0] == peer
    assert labels == [(), ("benchmark", "reranker-operator"), ("operator",), ("prometheus",)]


def test_route_without_the_gateway_api_is_told(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace, expose={"httpRoute": {"parentRefs": [{"name": "gateway"}]}}))
    resource = wait_for(api, namespace, Accepted="KindMissing", Available="NotAccepted")
    assert "needs the Gateway API" in conditions(resource)["Accepted"]["message"]


def test_claim_that_the_cluster_will_not_change_is_told_and_the_rest_goes_on(api: Api, namespace: str):
    spec = {"model": {**HUB, "cache": {"size": "5Gi"}}}
    api.create("rerankerdeployments", {**reranker(namespace), "spec": spec})
    wait_for(api, namespace, Accepted="SpecValid")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"model": {"cache": {"size": "6Gi"}}}})
    resource = wait_for(api, namespace, Accepted="Rejected")  # it isn't bound
    assert "products-cache" in conditions(resource)["Accepted"]["message"]
    claim = api.get("persistentvolumeclaims", namespace, "products-cache")
    assert claim is not None
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
