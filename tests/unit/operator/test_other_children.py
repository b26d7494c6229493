"""The children that a spec or the cluster has to ask for, as a function of both."""

from typing import Any

from tests.unit.operator.builders import make_settings, make_spec, make_target

from reranker_operator.desired import Target
from reranker_operator.desired.autoscaler import autoscaler
from reranker_operator.desired.disruption_budget import disruption_budget
from reranker_operator.desired.exposure import exposure
from reranker_operator.desired.mounts import baseline_key
from reranker_operator.desired.network_policy import network_policy
from reranker_operator.desired.pod_monitor import pod_monitor
from reranker_operator.gpu import profile_of
from reranker_operator.kinds import POD_MONITOR, SCALED_OBJECT, Kind

SCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 5, "targetQueuedDocuments": 250}}


def target(*kinds: Kind, settings: dict[str, Any] | None = None, **spec: Any) -> Target:
    """What the builders take, in a cluster that has these optional kinds."""
    given, made = make_settings(**(settings or {})), make_spec(**spec)
    profile = profile_of(made, given.gpu_profiles)
    return Target("products", "shop", "u1", made, profile, given, frozenset(kinds))


def peers(*kinds: Kind, **fields: Any) -> list[dict[str, Any]]:
    """Whom the NetworkPolicy lets in."""
    built = network_policy(target(*kinds, **fields))
    assert built is not None
    (rule,) = built["spec"]["ingress"]
    found: list[dict[str, Any]] = rule["from"]
    return found


def test_single_pod_has_no_disruption_budget():
    assert disruption_budget(make_target()) is None
    built = disruption_budget(make_target(replicas=2))
    assert built is not None
    assert built["spec"]["maxUnavailable"] == 1


def test_autoscaler_rests_with_no_replicas():
    assert autoscaler(make_target(**SCALED, replicas=0)) is None
    assert autoscaler(make_target()) is None


def test_keda_asks_prometheus_where_it_is_known_else_the_pods():
    def trigger(**settings: Any) -> dict[str, Any]:
        built = autoscaler(target(SCALED_OBJECT, settings=settings, **SCALED))
        assert built is not None
        assert (built["spec"]["minReplicaCount"], built["spec"]["maxReplicaCount"]) == (2, 5)
        (only,) = built["spec"]["triggers"]
        found: dict[str, Any] = only
        return found

    assert trigger(prometheusUrl="http://prometheus:9090") == {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": "http://prometheus:9090",
            "query": 'sum(reranker_queued_documents{namespace="shop",reranker="products"})',
            "threshold": "250",
        },
    }
    asked = trigger()
    assert (asked["type"], asked["metricType"]) == ("metrics-api", "AverageValue")
    assert asked["metadata"]["url"] == "http://products-pods.shop.svc:8000/metrics"


def test_policy_lets_in_the_namespace_unless_clients_are_named():
    assert network_policy(make_target()) is None
    assert peers(networkPolicy={"enabled": True})[0] == {"podSelector": {}}
    client = {"namespaceSelector": {"matchLabels": {"team": "search"}}}
    assert peers(networkPolicy={"enabled": True, "allowFrom": [client]})[0] == client
    assert {"podSelector": {}} not in peers(networkPolicy={"enabled": True, "allowFrom": []})


def test_policy_lets_in_the_operator_of_one_namespace_and_the_named_prometheus():
    prometheus = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    access = {"networkPolicy": {"operatorNamespace": "system", "prometheus": [prometheus]}}
    found = peers(settings=access, networkPolicy={"enabled": True})
    operator = {"matchLabels": {"app.kubernetes.io/component": "operator"}}
    assert {
        "podSelector": operator,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "system"}},
    } in found
    assert found[-1] == prometheus


def test_policy_lets_in_keda_where_it_asks_the_pods():
    keda = {"podSelector": {"matchLabels": {"app": "keda-operator"}}, "namespaceSelector": {}}
    policy = {"networkPolicy": {"enabled": True}}
    assert keda in peers(SCALED_OBJECT, **SCALED, **policy)
    assert keda not in peers(SCALED_OBJECT, **policy)
    assert keda not in peers(**SCALED, **policy)
    assert keda not in peers(SCALED_OBJECT, settings={"prometheusUrl": "http://p:9090"}, **SCALED, **policy)


def test_monitor_is_made_where_it_is_wanted_and_possible():
    wanted = {"podMonitors": {"enabled": True, "interval": "30s", "labels": {"release": "prometheus"}}}
    assert pod_monitor(target(POD_MONITOR)) is None
    assert pod_monitor(target(settings=wanted)) is None
    built = pod_monitor(target(POD_MONITOR, settings=wanted))
    assert built is not None
    assert built["metadata"]["labels"]["release"] == "prometheus"
    assert built["spec"]["podMetricsEndpoints"] == [
        {
            "port": "http",
            "interval": "30s",
            "relabelings": [{"targetLabel": "reranker", "replacement": "products", "action": "replace"}],
        }
    ]


def test_ingress_with_tls():
    ingress = {"host": "rerank.example", "className": "nginx", "tlsSecretName": "tls", "annotations": {"a": "b"}}
    built = exposure(make_target(expose={"ingress": ingress}))
    assert built is not None
    assert built["metadata"]["annotations"] == {"a": "b"}
    backend = {"service": {"name": "products", "port": {"name": "http"}}}
    assert built["spec"] == {
        "ingressClassName": "nginx",
        "rules": [
            {"host": "rerank.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        ],
        "tls": [{"hosts": ["rerank.example"], "secretName": "tls"}],
    }


def test_baseline_belongs_to_what_decides_a_score_and_to_nothing_else():
    key = baseline_key(make_target())
    same = [{"backend": "qwen3_packed"}, {"image": "other:1"}, {"gpu": {"type": "t4"}}, {"scoreCheck": {"maxDrift": 1}}]
    assert {baseline_key(make_target(**spec)) for spec in same} == {key}
    hub = {"name": "a/b"}
    others: list[dict[str, Any]] = [
        {"model": hub},
        {"model": {**hub, "revision": "main"}},
        {"instructionFormat": "standard"},
        {"instruction": "Rank."},
        {"scoreCheck": {"goldenSetConfigMap": "golden"}},
    ]
    assert len({baseline_key(make_target(**spec)) for spec in others} | {key}) == len(others) + 1
