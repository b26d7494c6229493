"""Whole objects, so that nothing is in them that nobody meant."""

from typing import Any

import yaml
from tests.unit.operator.builders import make_settings, make_target

from reranker_operator.desired import objects
from reranker_operator.desired.configmap import config_hash, config_map, service_config
from reranker_operator.desired.deployment import deployment
from reranker_operator.desired.mounts import baseline_key
from reranker_operator.desired.service import service

OWNER = {
    "apiVersion": "reranker.dev/v1alpha1",
    "kind": "RerankerDeployment",
    "name": "products",
    "uid": "u1",
    "controller": True,
    "blockOwnerDeletion": True,
}
SELECTOR = {
    "app.kubernetes.io/name": "reranker",
    "app.kubernetes.io/instance": "products",
    "app.kubernetes.io/component": "server",
}
CONFIG = f"products-config-{config_hash(make_target())[:10]}"
LABELS = {**SELECTOR, "app.kubernetes.io/managed-by": "reranker-operator"}


def metadata(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "shop", "labels": LABELS, "ownerReferences": [OWNER]}


def pod(**fields: Any) -> dict[str, Any]:
    """The pods' spec for a spec."""
    spec: dict[str, Any] = deployment(make_target(**fields))["spec"]["template"]["spec"]
    return spec


def container(**fields: Any) -> dict[str, Any]:
    (only,) = pod(**fields)["containers"]
    found: dict[str, Any] = only
    return found


def environment(**fields: Any) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(**fields)["env"]}


def test_children_come_in_the_order_in_which_pods_need_them():
    assert [(item["kind"], item["metadata"]["name"]) for item in objects(make_target())] == [
        ("ServiceAccount", "products"),
        ("ConfigMap", CONFIG),
        ("Service", "products"),
        ("Service", "products-pods"),
        ("Deployment", "products"),
    ]


def test_service():
    assert service(make_target()) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata("products"),
        "spec": {
            "type": "ClusterIP",
            "selector": SELECTOR,
            "ports": [{"name": "http", "port": 8000, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def test_config_map_holds_the_services_configuration():
    target = make_target()
    built = config_map(target)
    text = built["data"].pop("config.yaml")
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert built == {**kind, "metadata": metadata(CONFIG), "immutable": True, "data": {}}
    assert yaml.safe_load(text) == service_config(target)


def test_another_configuration_has_another_config_map():
    first, same, other = (config_map(make_target(**spec)) for spec in ({}, {"replicas": 2}, {"maxModelLen": 99}))
    assert first == same
    assert first["metadata"]["name"] != other["metadata"]["name"]


def test_configuration_of_the_smallest_spec():
    assert service_config(make_target()) == {
        "services": {
            "rerank": {
                "backend": "qwen3_vllm_score",
                "backends": {
                    "qwen3_vllm_score": {
                        "model_name": "/models/tiny-reranker",
                        "revision": None,
                        "max_model_len": 160,
                        "infer_batch_size": 100,
                        "sort_by_doc_length": True,
                        "enable_prefix_caching": True,
                        "enforce_eager": None,
                        "dtype": "float32",
                        "tensor_parallel_size": 1,
                        "gpu_memory_utilization": 0.2,
                        "instruction": "Rank products by query with category & style match prioritized",
                        "instruction_format": "compact",
                        "engine_args": {},
                    }
                },
                "server": {
                    "host": "0.0.0.0",  # noqa: S104
                    "port": 8000,
                    "max_documents": 1000,
                    "max_document_tokens": None,
                    "max_queued_documents": 10000,
                    "max_queued_tokens": None,
                    "max_body_bytes": 16777216,
                    "request_timeout_s": 60.0,
                    "drain_accept_s": 3.0,
                    "drain_timeout_s": 30.0,
                    "api_keys_file": None,
                    "metrics_auth": False,
                },
                "score_check": {
                    "mode": "enforce",
                    "golden_set": None,
                    "baseline": "/etc/reranker/baseline/baseline.json",
                    "max_drift": 0.25,
                },
            }
        }
    }


def test_deployment_on_cpus():
    target = make_target()
    built = deployment(target)
    template_hash = built["spec"]["template"]["metadata"]["annotations"].pop("reranker.dev/template-hash")
    assert len(template_hash) == 16
    probe = {"timeoutSeconds": 5, "successThreshold": 1}
    ready = {"httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"}, **probe}
    live = {"httpGet": {"path": "/livez", "port": "http", "scheme": "HTTP"}, **probe}
    cpus = {"containerName": "reranker", "resource": "limits.cpu", "divisor": "1"}
    baseline = {"name": "products-baseline", "items": [{"key": baseline_key(target), "path": "baseline.json"}]}
    assert built == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata("products"),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "minReadySeconds": 3,
            "progressDeadlineSeconds": 2100,
            "selector": {"matchLabels": SELECTOR},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": LABELS, "annotations": {"reranker.dev/config-hash": config_hash(target)}},
                "spec": {
                    "serviceAccountName": "products",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 48,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 10001,
                        "runAsGroup": 10001,
                        "fsGroup": 10001,
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "reranker",
                            "image": "service:cpu",
                            "imagePullPolicy": "IfNotPresent",
                            "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
                            "env": [
                                {"name": "RERANKER_CONFIG", "value": "/etc/reranker/config.yaml"},
                                {"name": "HOME", "value": "/tmp"},  # noqa: S108
                                {"name": "HF_HOME", "value": "/var/cache/reranker/hub"},
                                {"name": "HF_HUB_OFFLINE", "value": "1"},
                                {"name": "OMP_NUM_THREADS", "valueFrom": {"resourceFieldRef": cpus}},
                            ],
                            "resources": {},
                            "volumeMounts": [
                                {"name": "config", "mountPath": "/etc/reranker", "readOnly": True},
                                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
                                {"name": "cache", "mountPath": "/var/cache/reranker"},
                                {"name": "baseline", "mountPath": "/etc/reranker/baseline", "readOnly": True},
                            ],
                            "startupProbe": {**live, "periodSeconds": 2, "failureThreshold": 150},
                            "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 3},
                            "livenessProbe": {**live, "periodSeconds": 10, "failureThreshold": 3},
                            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "privileged": False,
                                "readOnlyRootFilesystem": True,
                                "runAsNonRoot": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                        }
                    ],
                    "volumes": [
                        {"name": "config", "configMap": {"name": CONFIG}},
                        {"name": "tmp", "emptyDir": {}},
                        {"name": "cache", "emptyDir": {}},
                        {"name": "baseline", "configMap": {**baseline, "optional": True}},
                    ],
                },
            },
        },
    }


def test_gpu_profile_reaches_the_pods():
    spec = pod(gpu={"type": "t4", "count": 2})
    (only,) = spec["containers"]
    assert only["image"] == "service:gpu"
    assert only["resources"] == {"requests": {"nvidia.com/gpu": 2}, "limits": {"nvidia.com/gpu": 2}}
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "Tesla-T4"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["runtimeClassName"] == "nvidia"
    assert {"name": "shm", "emptyDir": {"medium": "Memory"}} in spec["volumes"]
    assert {"name": "shm", "mountPath": "/dev/shm"} in only["volumeMounts"]  # noqa: S108
    assert "OMP_NUM_THREADS" not in {entry["name"] for entry in only["env"]}


def test_named_cpu_profile_is_the_same_as_no_gpu():
    assert pod(gpu={"type": "cpu"}) == pod()


def test_image_of_the_spec_wins_over_the_profiles_and_that_over_the_default():
    assert container(gpu={"type": "h100"})["image"] == "service:h100"
    assert container(gpu={"type": "h100"}, image="mine:1")["image"] == "mine:1"


def test_dtype_of_the_spec_wins_over_the_profiles():
    def dtype(**fields: Any) -> str:
        found: str = service_config(make_target(**fields))["services"]["rerank"]["backends"]["qwen3_vllm_score"][
            "dtype"
        ]
        return found

    assert dtype(gpu={"type": "t4"}) == "float16"
    assert dtype(gpu={"type": "t4"}, engine={"dtype": "float32"}) == "float32"
    assert dtype(gpu={"type": "h100"}) == "auto"


def test_model_on_the_hub():
    model = {"name": "a/b", "source": {"hub": {"tokenSecretRef": {"name": "hub", "key": "token"}}}}
    variables = environment(model=model)
    assert variables["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert "HF_HUB_OFFLINE" not in variables


def test_model_on_a_volume():
    model = {"name": "mine", "source": {"pvc": {"claimName": "weights", "path": "qwen/0.6b"}}}
    target = make_target(model=model)
    assert {"name": "model", "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}} in pod(model=model)[
        "volumes"
    ]
    assert {"name": "model", "mountPath": "/models/source", "readOnly": True} in container(model=model)["volumeMounts"]
    backend = service_config(target)["services"]["rerank"]["backends"]["qwen3_vllm_score"]
    assert backend["model_name"] == "/models/source/qwen/0.6b"
    assert environment(model=model)["HF_HUB_OFFLINE"] == "1"


def test_model_in_an_image_at_its_root():
    model = {"name": "mine", "source": {"image": {"reference": "weights:1"}}}
    assert {"name": "model", "image": {"reference": "weights:1", "pullPolicy": "IfNotPresent"}} in pod(model=model)[
        "volumes"
    ]
    backend = service_config(make_target(model=model))["services"]["rerank"]["backends"]["qwen3_vllm_score"]
    assert backend["model_name"] == "/models/source"


def test_cache_on_a_claim():
    volumes = pod(model={"name": "a/b", "cache": {"existingClaim": "cache"}})["volumes"]
    assert {"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}} in volumes


def test_cache_on_a_claim_of_its_own():
    volumes = pod(model={"name": "a/b", "cache": {"size": "20Gi"}})["volumes"]
    assert {"name": "cache", "persistentVolumeClaim": {"claimName": "products-cache"}} in volumes


def test_progress_deadline_reaches_the_deployment():
    assert deployment(make_target(rollout={"progressDeadline": "90s"}))["spec"]["progressDeadlineSeconds"] == 90


def test_drain_is_in_the_configuration_and_in_the_grace_period():
    rollout = {"drainTimeout": "1m30s"}
    server = service_config(make_target(rollout=rollout))["services"]["rerank"]["server"]
    assert server["drain_timeout_s"] == 90
    assert pod(rollout=rollout)["terminationGracePeriodSeconds"] == 5 + 3 + 90 + 10


def test_in_place_never_adds_a_pod():
    strategy = deployment(make_target(rollout={"strategy": "InPlace"}))["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 0, "maxUnavailable": 1}


def test_pod_template_is_merged_with_what_is_ours():
    template = {
        "metadata": {"labels": {"team": "search"}, "annotations": {"note": "x"}},
        "nodeSelector": {"zone": "a", "nvidia.com/gpu.product": "other"},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "spot", "operator": "Exists"},
        ],
        "affinity": {"podAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "resources": {"requests": {"cpu": 2}, "limits": {"memory": "5Gi"}},
        "env": [{"name": "HOME", "value": "/mine"}, {"name": "B", "value": "2"}],
        "volumes": [{"name": "extra", "emptyDir": {}}],
        "volumeMounts": [{"name": "extra", "mountPath": "/extra"}],
        "runtimeClassName": "kata",
        "priorityClassName": "high",
    }
    target = make_target(gpu={"type": "t4"}, podTemplate=template)
    built = deployment(target)["spec"]["template"]
    spec, (only,) = built["spec"], built["spec"]["containers"]
    assert built["metadata"]["labels"] == {**LABELS, "team": "search"}
    assert (
        built["metadata"]["annotations"].items()
        >= {"note": "x", "reranker.dev/config-hash": config_hash(target)}.items()
    )
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "other", "zone": "a"}
    assert [toleration["key"] for toleration in spec["tolerations"]] == ["nvidia.com/gpu", "spot"]
    assert (spec["affinity"], spec["topologySpreadConstraints"]) == ({"podAffinity": {}}, [{"maxSkew": 1}])
    assert only["resources"] == {
        "requests": {"cpu": 2, "nvidia.com/gpu": 1},
        "limits": {"memory": "5Gi", "nvidia.com/gpu": 1},
    }
    assert [entry["value"] for entry in only["env"] if entry["name"] == "HOME"] == ["/mine"]
    assert {"name": "B", "value": "2"} in only["env"]
    assert spec["volumes"][-1] == {"name": "extra", "emptyDir": {}}
    assert only["volumeMounts"][-1] == {"name": "extra", "mountPath": "/extra"}
    assert (spec["runtimeClassName"], spec["priorityClassName"]) == ("kata", "high")


def test_pull_secrets_of_operator_and_spec_come_once_each():
    settings = make_settings(imagePullSecrets=["a", "b"])
    target = make_target(settings, imagePullSecrets=[{"name": "b"}, {"name": "c"}])
    secrets = deployment(target)["spec"]["template"]["spec"]["imagePullSecrets"]
    assert secrets == [{"name": "a"}, {"name": "b"}, {"name": "c"}]


def test_same_spec_gives_the_same_objects():
    assert objects(make_target(gpu={"type": "t4"})) == objects(make_target(gpu={"type": "t4"}))
