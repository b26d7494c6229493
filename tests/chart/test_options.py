"""What can be switched on: monitors, policies, roles for people, rerankers, the test."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from reranker_operator.names import INSTANCE_LABEL, PORT, PORT_NAME, labels


def selects(selector: Any, found: Any) -> bool:
    return bool(selector["matchLabels"].items() <= found.items())


def test_the_monitors_select_the_operators_and_the_rerankers_pods(helm: Any) -> None:
    rendered = helm.render({"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}})
    operator, rerankers = rendered.all("PodMonitor")
    assert all(each["metadata"]["labels"]["release"] == "prometheus" for each in (operator, rerankers))

    assert selects(operator["spec"]["selector"], rendered.pod["metadata"]["labels"])
    assert operator["spec"]["namespaceSelector"] == {"matchNames": ["system"]}
    (endpoint,) = operator["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in rendered.container["ports"]}
    assert endpoint["honorLabels"] is True

    assert selects(rerankers["spec"]["selector"], labels("products"))
    assert not selects(rerankers["spec"]["selector"], rendered.pod["metadata"]["labels"])
    assert rerankers["spec"]["namespaceSelector"] == {"any": True}
    (endpoint,) = rerankers["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == PORT_NAME
    # Prometheus turns what isn't a letter or digit into an underscore.
    source = "__meta_kubernetes_pod_label_" + INSTANCE_LABEL.replace(".", "_").replace("/", "_")
    assert endpoint["relabelings"] == [{"sourceLabels": [source], "targetLabel": "reranker"}]


def test_no_reranker_is_found_twice(helm: Any) -> None:
    rendered = helm.render({"podMonitor": {"enabled": True, "perReranker": True}})
    assert [each["metadata"]["name"] for each in rendered.all("PodMonitor")] == ["reranker-operator"]
    assert rendered.config["podMonitors"]["enabled"] is True


def test_several_operators_are_spread_and_not_evicted_together(helm: Any, defaults: Any) -> None:
    assert defaults.all("PodDisruptionBudget") == []
    assert "topologySpreadConstraints" not in defaults.pod["spec"]
    rendered = helm.render({"replicas": 2})
    budget = rendered.one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert selects(budget["selector"], rendered.pod["metadata"]["labels"])
    (constraint,) = rendered.pod["spec"]["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "kubernetes.io/hostname"
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    assert selects(constraint["labelSelector"], rendered.pod["metadata"]["labels"])


def test_the_monitor_looks_into_the_served_namespaces_only(helm: Any) -> None:
    served = {"rbac": {"scope": "namespace", "namespaces": ["team-a", "team-b"]}, "podMonitor": {"enabled": True}}
    _, rerankers = helm.render(served).all("PodMonitor")
    assert rerankers["spec"]["namespaceSelector"] == {"matchNames": ["team-a", "team-b"]}


def test_a_service_monitor_takes_the_place_of_the_operators_pod_monitor(helm: Any) -> None:
    rendered = helm.render({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}})
    monitor, service = rendered.one("ServiceMonitor"), rendered.one("Service")
    assert selects(monitor["spec"]["selector"], service["metadata"]["labels"])
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert [each["metadata"]["name"] for each in rendered.all("PodMonitor")] == ["reranker-operator-rerankers"]


def test_rules_carry_the_objectives_the_users_labels_and_where_the_runbooks_are(helm: Any) -> None:
    chosen = {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "alertLabels": {"team": "search", "severity": "none"},
        "runbookUrl": "https://runbooks.example",
        "objectives": {"availability": 0.995, "latency": 0.9, "latencySeconds": 2},
    }
    rule = helm.render({"prometheusRule": chosen}).one("PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    rules = [each for group in rule["spec"]["groups"] for each in group["rules"]]
    alerts = [each for each in rules if "alert" in each]
    assert len(alerts) > 10
    for alert in alerts:
        assert alert["labels"]["team"] == "search"
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}, "ours go before the user's"
        assert alert["annotations"]["runbook_url"] == f"https://runbooks.example/{alert['alert']}.md"
    text = yaml.safe_dump(rules)
    assert "OBJECTIVE" not in text
    assert 'le="2.0"' in text
    assert "(1 - 0.995)" in text
    assert "(1 - 0.9)" in text


def test_dashboards_are_where_the_sidecar_looks_and_valid_json(helm: Any) -> None:
    chosen = {"enabled": True, "namespace": "monitoring", "annotations": {"grafana_folder": "Rerankers"}}
    maps = [each for each in helm.render({"dashboards": chosen}).all("ConfigMap") if "config.yaml" not in each["data"]]
    assert len(maps) == 3
    for each in maps:
        assert each["metadata"]["namespace"] == "monitoring"
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Rerankers"}
        ((name, text),) = each["data"].items()
        assert name == f"{json.loads(text)['uid']}.json"


def test_the_policy_lets_the_operator_work(helm: Any) -> None:
    chosen = {"enabled": True, "metricsFrom": [{"podSelector": {}}], "apiServerPorts": [16443]}
    rendered = helm.render({"networkPolicy": chosen})
    policy = rendered.one("NetworkPolicy")["spec"]
    assert selects(policy["podSelector"], rendered.pod["metadata"]["labels"])
    (ingress,) = policy["ingress"]
    assert ingress["from"] == [{"podSelector": {}}]
    assert ingress["ports"][0]["port"] in {port["name"] for port in rendered.container["ports"]}
    api_server, dns, rerankers = policy["egress"]
    assert api_server == {"ports": [{"port": 16443, "protocol": "TCP"}]}
    assert {(port["port"], port["protocol"]) for port in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert [port["port"] for port in rerankers["ports"]] == [PORT]
    assert selects(rerankers["to"][0]["podSelector"], labels("products"))


def test_people_may_do_with_the_custom_resources_what_they_may_do_with_others(helm: Any, defaults: Any) -> None:
    view = defaults.one("ClusterRole", "system-reranker-operator-view")
    edit = defaults.one("ClusterRole", "system-reranker-operator-edit")
    kinds = {each["spec"]["names"]["plural"] for each in defaults.all("CustomResourceDefinition")}
    for verb_role, verbs in ((view, {"get", "list", "watch"}), (edit, {"create", "update", "patch", "delete"})):
        rule = verb_role["rules"][0]
        assert kinds <= set(rule["resources"])
        assert verbs <= set(rule["verbs"])
    assert "rerankerdeployments/scale" in edit["rules"][1]["resources"]
    # Nobody but the operator writes a status.
    assert not any("status" in resource for rule in edit["rules"] for resource in rule["resources"])
    aggregated = "rbac.authorization.k8s.io/aggregate-to-"
    assert {key for key in view["metadata"]["labels"] if key.startswith(aggregated)} == {
        f"{aggregated}view",
        f"{aggregated}edit",
        f"{aggregated}admin",
    }
    assert f"{aggregated}view" not in edit["metadata"]["labels"]
    without = helm.render({"rbac": {"aggregate": False}}).all("ClusterRole")
    assert [role["metadata"]["name"] for role in without] == ["system-reranker-operator"]


def test_rerankers_wait_until_the_cluster_knows_them(helm: Any) -> None:
    values = {"rerankers": {"products": {"spec": {"model": {"name": "x"}}}}}
    early = helm.template(values, knows_crds=False)
    assert early.returncode != 0
    assert "does not know RerankerDeployment yet" in early.stderr
    (reranker,) = helm.render(values).all("RerankerDeployment")
    assert reranker["metadata"]["namespace"] == "system"
    assert reranker["spec"] == {"model": {"name": "x"}}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"serviceMonitor": {"enabled": True}, "metricsService": {"enabled": False}},
            "set metricsService.enabled=true",
        ),
        (
            {
                "rbac": {"scope": "namespace", "namespaces": ["team-a"]},
                "rerankers": {"products": {"spec": {}}},
            },
            "rerankers.products is to live in the namespace system, which is not served",
        ),
    ],
)
def test_a_contradiction_says_how_to_mend_it(helm: Any, values: Any, complaint: str) -> None:
    done = helm.template(values)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_helm_test_asks_the_operator_and_every_reranker(helm: Any) -> None:
    values = {
        "rerankers": {"products": {"namespace": "shop", "spec": {}}, "articles": {"spec": {}}},
        "test": {"urls": ["http://faq.support:8000"], "timeoutSeconds": 20, "apiKeySecretRef": {"name": "keys"}},
    }
    rendered = helm.render(values, hooks=True)
    pod, script = rendered.one("Pod"), rendered.one("ConfigMap", "reranker-operator-test")
    (container,) = pod["spec"]["containers"]
    assert container["command"] == [
        "python3",
        "/test/rerank.py",
        "http://reranker-operator:8080",
        "20",
        "http://faq.support:8000",
        "http://articles.system:8000",
        "http://products.shop:8000",
    ]
    assert container["image"] == rendered.container["image"], "the operator's image is there already, and has Python"
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "keys", "key": "api-key"}
    assert pod["spec"]["securityContext"] == rendered.pod["spec"]["securityContext"]
    assert container["securityContext"] == rendered.container["securityContext"]
    for each in (pod, script):
        assert each["metadata"]["annotations"]["helm.sh/hook"] == "test"
    compile(script["data"]["rerank.py"], "rerank.py", "exec")


def test_the_pages_of_artifact_hub_name_what_the_chart_brings(chart: Any, defaults: Any) -> None:
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    notes = {key: yaml.safe_load(text) for key, text in metadata["annotations"].items()}
    named = {(each["kind"], each["name"], each["version"]) for each in notes["artifacthub.io/crds"]}
    assert named == {
        (each["spec"]["names"]["kind"], each["metadata"]["name"], version["name"])
        for each in defaults.all("CustomResourceDefinition")
        for version in each["spec"]["versions"]
    }
    images = {each["image"] for each in notes["artifacthub.io/images"]}
    config = defaults.config["images"]
    assert {defaults.container["image"], config["gpu"], config["cpu"]} <= images
    assert all(image.endswith(f":{metadata['appVersion']}") for image in images)
