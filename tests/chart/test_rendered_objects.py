"""What an installation brings into the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reranker_operator import rbac
from reranker_operator.settings import DEFAULT_PATH, Settings, parse

ROOT = Path(__file__).resolve().parents[2]


def test_lint_has_nothing_to_say(helm: Any, chart: Path) -> None:
    done = helm.run("lint", "--strict", str(chart))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


def test_the_default_installation_is_exactly_these_objects(defaults: Any) -> None:
    assert sorted((item["kind"], item["metadata"]["name"]) for item in defaults.objects) == [
        ("ClusterRole", "system-reranker-operator"),
        ("ClusterRole", "system-reranker-operator-edit"),
        ("ClusterRole", "system-reranker-operator-view"),
        ("ClusterRoleBinding", "system-reranker-operator"),
        ("ConfigMap", "reranker-operator"),
        ("CustomResourceDefinition", "rerankerbenchmarks.reranker.dev"),
        ("CustomResourceDefinition", "rerankerdeployments.reranker.dev"),
        ("Deployment", "reranker-operator"),
        ("Role", "system-reranker-operator-leader"),
        ("RoleBinding", "system-reranker-operator-leader"),
        ("Service", "reranker-operator"),
        ("ServiceAccount", "reranker-operator"),
    ]
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for item in defaults.objects:
        assert item["metadata"].get("namespace") == (None if item["kind"] in cluster_wide else "system")
        assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_the_pod_may_run_where_only_restricted_pods_may(defaults: Any) -> None:
    # Each requirement of the pod security standard `restricted`, and the read-only root on top of it.
    pod, container = defaults.pod["spec"], defaults.container
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} <= {"configMap", "emptyDir"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPort" not in port for port in container["ports"])


def test_several_operators_share_a_lease_and_a_new_one_is_ready_before_an_old_one_goes(helm: Any) -> None:
    rendered = helm.render({"replicas": 2})
    spec = rendered.one("Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    election = parse(rendered.config, source="chart").leader_election
    assert (election.enabled, election.namespace, election.name) == (True, "system", "reranker-operator")
    role = rendered.one("Role", "system-reranker-operator-leader")
    assert role["metadata"]["namespace"] == "system"
    assert role["rules"] == [rule.as_dict() for rule in rbac.LEASE_RULES]
    assert rendered.one("RoleBinding")["roleRef"]["name"] == role["metadata"]["name"]


def test_rerankers_policies_admit_this_operator_and_this_prometheus(helm: Any) -> None:
    peer = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
    access = parse(helm.render({"networkPolicy": {"prometheus": [peer]}}).config, source="chart").network_policy
    assert (access.operator_namespace, access.prometheus) == ("system", (peer,))
    default = parse(helm.render().config, source="chart").network_policy
    assert default.prometheus == Settings().network_policy.prometheus


def test_prometheus_and_monitors_of_single_rerankers_are_handed_on(helm: Any) -> None:
    values = {
        "prometheusUrl": "http://prometheus:9090",
        "podMonitor": {"perReranker": True, "interval": "30s", "labels": {"release": "prometheus"}},
    }
    settings = parse(helm.render(values).config, source="chart")
    assert settings.prometheus_url == "http://prometheus:9090"
    assert settings.pod_monitors.model_dump() == {
        "enabled": True,
        "interval": "30s",
        "labels": {"release": "prometheus"},
    }
    assert parse(helm.render().config, source="chart").prometheus_url is None


def test_probes_and_service_reach_the_port_that_the_operator_listens_on(defaults: Any) -> None:
    container = defaults.container
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {
        "startupProbe": {"path": "/livez", "port": "http"},
        "livenessProbe": {"path": "/livez", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }
    service = defaults.one("Service")["spec"]
    assert service["ports"] == [{"name": "http-metrics", "port": 8080, "targetPort": "http"}]
    assert service["selector"].items() <= defaults.pod["metadata"]["labels"].items()
    assert defaults.one("Deployment")["spec"]["selector"]["matchLabels"] == service["selector"]


def test_the_operator_is_not_taken_for_a_reranker(defaults: Any) -> None:
    assert defaults.pod["metadata"]["labels"]["app.kubernetes.io/name"] != "reranker"
    assert defaults.pod["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"


def test_the_configuration_lies_where_the_operator_reads_it(defaults: Any) -> None:
    container = defaults.container
    environment = {variable["name"]: variable for variable in container["env"]}
    assert environment["RERANKER_OPERATOR_CONFIG"]["value"] == str(DEFAULT_PATH)
    assert environment["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert environment["POD_NAMESPACE"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"config": str(DEFAULT_PATH.parent), "tmp": "/tmp"}  # noqa: S108 - a path in the pod
    volumes = {volume["name"]: volume for volume in defaults.pod["spec"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == defaults.one("ConfigMap")["metadata"]["name"]


def test_the_operator_accepts_the_configuration(defaults: Any) -> None:
    settings = parse(defaults.config, source="the chart's ConfigMap")
    assert settings.namespaces == ()
    assert (settings.images.gpu, settings.images.cpu) == ("reranker-service:0.1.0", "reranker-service-cpu:0.1.0")
    assert settings.images.bench == "reranker-bench:0.1.0"
    assert settings.resync_seconds == 300


# The vendor's figures; the labels are the product names that the driver reports, with spaces turned into dashes.
CARDS = {
    "t4": ("Tesla-T4", 16, "7.5", "float16"),
    "l4": ("NVIDIA-L4", 24, "8.9", "bfloat16"),
    "a10": ("NVIDIA-A10", 24, "8.6", "bfloat16"),
    "a100-40gb": ("NVIDIA-A100-SXM4-40GB", 40, "8.0", "bfloat16"),
    "a100-80gb": ("NVIDIA-A100-SXM4-80GB", 80, "8.0", "bfloat16"),
    "l40s": ("NVIDIA-L40S", 48, "8.9", "bfloat16"),
    "h100": ("NVIDIA-H100-80GB-HBM3", 80, "9.0", "bfloat16"),
    "h200": ("NVIDIA-H200", 141, "9.0", "bfloat16"),
}


def test_the_built_in_gpu_profiles_are_those_of_the_design(defaults: Any) -> None:
    profiles = parse(defaults.config, source="chart").gpu_profiles
    assert profiles.keys() == {*CARDS, "cpu"}
    for name, (product, memory, capability, dtype) in CARDS.items():
        profile = profiles[name]
        assert profile.resource == "nvidia.com/gpu"
        assert profile.node_selector == {"nvidia.com/gpu.product": product}
        assert (profile.memory_gib, profile.compute_capability, profile.dtype) == (memory, capability, dtype)
        assert [toleration.key for toleration in profile.tolerations] == ["nvidia.com/gpu"]
    assert profiles["cpu"].resource is None
    assert profiles["cpu"].dtype == "float32"


def test_a_profile_may_have_every_key_that_the_operator_knows(helm: Any) -> None:
    mine = {
        "resource": "amd.com/gpu",
        "memoryGiB": 191.5,
        "computeCapability": "9.4",
        "dtype": "auto",
        "nodeSelector": {"gpu": "mine"},
        "tolerations": [
            {"key": "gpu", "operator": "Equal", "value": "x", "effect": "NoExecute", "tolerationSeconds": 5}
        ],
        "runtimeClassName": "nvidia",
        "image": "registry.example/reranker-service:rocm",
    }
    settings = parse(helm.render({"gpuProfiles": {"mine": mine, "t4": None}}).config, source="chart")
    assert settings.gpu_profiles["mine"].model_dump(by_alias=True, exclude_none=True, mode="json") == mine
    assert "t4" not in settings.gpu_profiles, "a profile set to null must be gone"
    assert set(mine) == {field.alias for field in type(settings.gpu_profiles["mine"]).model_fields.values()}


def test_every_key_of_the_operators_settings_is_rendered(defaults: Any) -> None:
    assert defaults.config.keys() == {field.alias for field in Settings.model_fields.values()}


def test_the_cluster_role_is_the_operators_table_of_rights(defaults: Any) -> None:
    role = defaults.one("ClusterRole", "system-reranker-operator")
    assert role["rules"] == [rule.as_dict() for rule in (*rbac.RULES, *rbac.CLUSTER_RULES)]
    binding = defaults.one("ClusterRoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "reranker-operator", "namespace": "system"}]
    assert defaults.pod["spec"]["serviceAccountName"] == "reranker-operator"


def test_namespace_scope_grants_nothing_for_the_whole_cluster(helm: Any) -> None:
    rendered = helm.render({"rbac": {"scope": "namespace", "namespaces": ["team-a", "team-b"]}})
    assert rendered.all("ClusterRole") == rendered.all("ClusterRoleBinding") == []
    *roles, leader = rendered.all("Role")
    assert leader["metadata"]["name"].endswith("-leader")
    assert [role["metadata"]["namespace"] for role in roles] == ["team-a", "team-b"]
    assert all(role["rules"] == [rule.as_dict() for rule in rbac.RULES] for role in roles)
    for role, binding in zip(rendered.all("Role"), rendered.all("RoleBinding"), strict=True):
        assert binding["metadata"]["namespace"] == role["metadata"]["namespace"]
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"][0]["namespace"] == "system"
    assert parse(rendered.config, source="chart").namespaces == ("team-a", "team-b")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"scope": "namespace"}, "rbac.namespaces lists none"),
        ({"namespaces": ["a"]}, "rbac.scope is cluster"),
    ],
)
def test_values_that_contradict_one_another_are_refused(helm: Any, values: Any, complaint: str) -> None:
    done = helm.template({"rbac": values})
    assert done.returncode != 0
    assert complaint in done.stderr


def test_the_definitions_are_those_of_the_repository(defaults: Any) -> None:
    definitions = {}
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        definition = yaml.safe_load(file.read_text())
        definitions[definition["metadata"]["name"]] = definition
    assert definitions
    rendered = {item["metadata"]["name"]: item for item in defaults.all("CustomResourceDefinition")}
    assert rendered.keys() == definitions.keys()
    for name, definition in definitions.items():
        assert rendered[name]["spec"] == definition["spec"]
        assert rendered[name]["metadata"]["annotations"].items() >= {"helm.sh/resource-policy": "keep"}.items()


def test_definitions_may_go_with_the_release_or_not_come_at_all(helm: Any) -> None:
    for going in helm.render({"crds": {"keep": False}}).all("CustomResourceDefinition"):
        assert "helm.sh/resource-policy" not in going["metadata"].get("annotations", {})
    assert helm.render({"crds": {"install": False}}).all("CustomResourceDefinition") == []


def test_a_change_of_the_configuration_makes_a_new_pod_and_nothing_else_does(helm: Any, defaults: Any) -> None:
    def checksum(values: Any = None) -> str:
        found: str = helm.render(values).pod["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum() == checksum({"metricsService": {"port": 9090}})
    assert checksum() != checksum({"resyncSeconds": 60})
    assert checksum() != checksum({"gpuProfiles": {"l4": {"dtype": "float16"}}})


def test_own_labels_and_annotations_do_not_break_the_selector_or_the_restart(helm: Any, defaults: Any) -> None:
    mine = {"podLabels": {"app.kubernetes.io/name": "mine"}, "podAnnotations": {"checksum/config": "mine"}}
    pod = helm.render(mine).pod
    assert pod["metadata"] == defaults.pod["metadata"]


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("reranker-operator", {}, "reranker-operator"),
        ("prod", {}, "prod-reranker-operator"),
        ("prod", {"nameOverride": "rr"}, "prod-rr"),
        ("prod", {"fullnameOverride": "mine"}, "mine"),
        ("a" * 53, {}, "a" * 53 + "-reranker"),
    ],
)
def test_the_objects_are_named_after_the_release(helm: Any, release: str, values: Any, name: str) -> None:
    rendered = helm.render(values, release=release)
    assert rendered.one("Deployment")["metadata"]["name"] == name
    assert rendered.one("Service")["metadata"]["name"] == name


def test_two_releases_in_two_namespaces_share_no_object_but_the_definition(helm: Any) -> None:
    def keys(namespace: str) -> set[tuple[str, str, str | None]]:
        objects = helm.render(namespace=namespace).objects
        return {(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace")) for item in objects}

    shared = keys("one") & keys("two")
    assert {kind for kind, _, _ in shared} == {"CustomResourceDefinition"}


def test_the_notes_name_a_profile_the_namespace_and_what_is_missing(helm: Any) -> None:
    notes = helm.notes()
    assert "serves RerankerDeployments in all namespaces" in notes
    assert "a100-80gb, cpu, h100" in notes
    assert "reranker-bench:0.1.0" in notes
    assert "crds.install" not in notes
    limited = {"rbac": {"scope": "namespace", "namespaces": ["team-a"], "create": False}, "crds": {"install": False}}
    notes = helm.notes(limited)
    assert "in the namespaces team-a" in notes
    assert "kubectl get -n team-a rrd products" in notes
    assert "crds.install is false" in notes
    assert "rbac.create is false" in notes
