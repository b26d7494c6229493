"""Children of kinds that other products bring: KEDA, the Prometheus operator, the Gateway API.

Their CRDs stand here in place of the real ones; they take any spec. The operator of the other tests rests meanwhile.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.operator.api import Api, Object, eventually
from tests.operator.conftest import CONFIG, Operator
from tests.operator.control_plane import OPERATOR, ControlPlane
from tests.operator.resources import reranker, wait_for

pytestmark = pytest.mark.usefixtures("with_foreign_kinds")

FOREIGN = {
    "scaledobjects": ("keda.sh", "v1alpha1", "ScaledObject"),
    "podmonitors": ("monitoring.coreos.com", "v1", "PodMonitor"),
    "httproutes": ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
}


def foreign_crd(plural: str) -> Object:
    """A CustomResourceDefinition of another product that takes any spec."""
    group, version, kind = FOREIGN[plural]
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    annotations = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2466"}
    return {
        "metadata": {"name": f"{plural}.{group}", "annotations": annotations if group.endswith("k8s.io") else {}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [served],
        },
    }


@pytest.fixture(scope="module")
def with_foreign_kinds(
    api: Api, running: Operator, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Another operator, started when the cluster has the optional kinds."""
    collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for plural in FOREIGN:
        api.call("POST", collection, foreign_crd(plural))
    for plural, (group, version, _) in FOREIGN.items():
        path = f"/apis/{group}/{version}/namespaces/default/{plural}"
        eventually(lambda path=path: api.look(path), f"{plural} are served")
    assert running.process is not None
    if running.process.popen.poll() is None:
        assert running.stop() == 0
    folder: Path = tmp_path_factory.mktemp("with-foreign-kinds")
    other = Operator(
        folder,
        control_plane.kubeconfig(OPERATOR),
        {**CONFIG, "podMonitors": {"enabled": True, "labels": {"release": "prometheus"}}},
    )
    try:
        other.start()
        yield
        assert other.stop() == 0
    finally:
        for plural, (group, _, _) in FOREIGN.items():
            if api.look(f"{collection}/{plural}.{group}"):
                api.call("DELETE", f"{collection}/{plural}.{group}")
        running.start()


def test_keda_scales_in_place_of_the_autoscaler(api: Api, namespace: str):
    spec = {"autoscaling": {"maxReplicas": 3, "targetQueuedDocuments": 250}}
    api.create("rerankerdeployments", reranker(namespace, **spec))
    made = eventually(lambda: api.get("scaledobjects", namespace, "products"), "the ScaledObject is there")
    assert made["spec"]["scaleTargetRef"]["kind"] == "RerankerDeployment"
    (trigger,) = made["spec"]["triggers"]
    assert trigger["metadata"]["url"] == f"http://products-pods.{namespace}.svc:8000/metrics"
    assert trigger["metadata"]["targetValue"] == "250"
    wait_for(api, namespace, Accepted="SpecValid")
    assert not api.list("horizontalpodautoscalers", namespace)
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"autoscaling": None}})
    eventually(lambda: api.get("scaledobjects", namespace, "products") is None, "the ScaledObject is gone")


def test_monitor_knows_the_key(api: Api, namespace: str):
    auth = {"apiKeySecretRef": {"name": "keys", "key": "prometheus"}, "protectMetrics": True}
    api.create("rerankerdeployments", reranker(namespace, auth=auth))
    made = eventually(lambda: api.get("podmonitors", namespace, "products"), "the PodMonitor is there")
    assert made["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = made["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "keys", "key": "prometheus"}


def test_route_leads_to_the_service(api: Api, namespace: str):
    expose = {"httpRoute": {"parentRefs": [{"name": "gateway"}], "hostnames": ["rerank.example"]}}
    api.create("rerankerdeployments", reranker(namespace, expose=expose))
    made = eventually(lambda: api.get("httproutes", namespace, "products"), "the HTTPRoute is there")
    assert made["spec"]["hostnames"] == ["rerank.example"]
    assert made["spec"]["rules"][0]["backendRefs"] == [{"name": "products", "port": 8000}]
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"expose": None}})
    eventually(lambda: api.get("httproutes", namespace, "products") is None, "the HTTPRoute is gone")


def test_kind_that_goes_is_done_without(api: Api, namespace: str):
    """The last one here: KEDA is gone afterwards."""
    api.create("rerankerdeployments", reranker(namespace, autoscaling={"maxReplicas": 3}))
    eventually(lambda: api.get("scaledobjects", namespace, "products"), "the ScaledObject is there")
    wait_for(api, namespace, Accepted="SpecValid")
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scaledobjects.keda.sh"
    api.call("DELETE", path)
    eventually(lambda: api.look(path) is None, "the kind is gone", within=40)
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": 99}})
    eventually(lambda: api.list("horizontalpodautoscalers", namespace), "the autoscaler takes over", within=40)
    wait_for(api, namespace, Accepted="SpecValid")
