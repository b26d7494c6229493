"""A change of any field that matters to the pods rolls them, and no field is forgotten."""

from typing import Any

import pytest
from tests.unit.operator.builders import make_target

from reranker_operator.api.deployment import RerankerDeploymentSpec
from reranker_operator.api.schema import structural_schema
from reranker_operator.desired import objects
from reranker_operator.desired.deployment import deployment

HUB = {"name": "a/b"}
# For every field of the spec a value that isn't its default. A field that isn't here or below fails the test.
CHANGES: dict[str, dict[str, Any]] = {
    "backend": {"backend": "qwen3_vllm"},
    "instructionFormat": {"instructionFormat": "standard"},
    "instruction": {"instruction": "Rank."},
    "maxModelLen": {"maxModelLen": 161},
    "model.name": {"model": {"name": "/models/other"}},
    "model.revision": {"model": {**HUB, "revision": "main"}},
    "model.source.pvc.claimName": {"model": {**HUB, "source": {"pvc": {"claimName": "a"}}}},
    "model.source.pvc.path": {"model": {**HUB, "source": {"pvc": {"claimName": "a", "path": "b"}}}},
    "model.source.image.reference": {"model": {**HUB, "source": {"image": {"reference": "a"}}}},
    "model.source.image.path": {"model": {**HUB, "source": {"image": {"reference": "a", "path": "b"}}}},
    "model.source.hub.tokenSecretRef.name": {
        "model": {**HUB, "source": {"hub": {"tokenSecretRef": {"name": "a", "key": "k"}}}}
    },
    "model.source.hub.tokenSecretRef.key": {
        "model": {**HUB, "source": {"hub": {"tokenSecretRef": {"name": "a", "key": "l"}}}}
    },
    "model.cache.existingClaim": {"model": {**HUB, "cache": {"existingClaim": "a"}}},
    "model.cache.size": {"model": {**HUB, "cache": {"size": "1Gi"}}},
    "gpu.type": {"gpu": {"type": "t4"}},
    "gpu.count": {"gpu": {"type": "t4", "count": 2}},
    "engine.dtype": {"engine": {"dtype": "bfloat16"}},
    "engine.quantization": {"engine": {"quantization": "fp8"}},
    "engine.inferBatchSize": {"engine": {"inferBatchSize": 99}},
    "engine.sortByDocLength": {"engine": {"sortByDocLength": False}},
    "engine.enablePrefixCaching": {"engine": {"enablePrefixCaching": False}},
    "engine.enforceEager": {"engine": {"enforceEager": True}},
    "engine.tensorParallelSize": {"engine": {"tensorParallelSize": 2}},
    "engine.gpuMemoryUtilization": {"engine": {"gpuMemoryUtilization": 0.3}},
    "engine.extraArgs": {"engine": {"extraArgs": {"block_size": 32}}},
    "limits.maxDocuments": {"limits": {"maxDocuments": 999}},
    "limits.maxQueuedDocuments": {"limits": {"maxQueuedDocuments": 9999}},
    "limits.maxBodyBytes": {"limits": {"maxBodyBytes": 2048}},
    "limits.requestTimeout": {"limits": {"requestTimeout": "61s"}},
    "limits.maxDocumentTokens": {"limits": {"maxDocumentTokens": 50}},
    "limits.maxQueuedTokens": {"limits": {"maxQueuedTokens": 5000}},
    "auth.apiKeySecretRef.name": {"auth": {"apiKeySecretRef": {"name": "a", "key": "k"}}},
    "auth.apiKeySecretRef.key": {"auth": {"apiKeySecretRef": {"name": "a", "key": "l"}}},
    "auth.protectMetrics": {"auth": {"apiKeySecretRef": {"name": "a", "key": "k"}, "protectMetrics": True}},
    "scoreCheck.mode": {"scoreCheck": {"mode": "warn"}},
    "scoreCheck.goldenSetConfigMap": {"scoreCheck": {"goldenSetConfigMap": "golden"}},
    "scoreCheck.maxDrift": {"scoreCheck": {"maxDrift": 0.5}},
    "rollout.drainTimeout": {"rollout": {"drainTimeout": "31s"}},
    "image": {"image": "mine:1"},
    "imagePullSecrets": {"imagePullSecrets": [{"name": "a"}]},
    "podTemplate.metadata.labels": {"podTemplate": {"metadata": {"labels": {"a": "b"}}}},
    "podTemplate.metadata.annotations": {"podTemplate": {"metadata": {"annotations": {"a": "b"}}}},
    "podTemplate.nodeSelector": {"podTemplate": {"nodeSelector": {"a": "b"}}},
    "podTemplate.tolerations": {"podTemplate": {"tolerations": [{"operator": "Exists"}]}},
    "podTemplate.affinity": {"podTemplate": {"affinity": {"a": "b"}}},
    "podTemplate.topologySpreadConstraints": {"podTemplate": {"topologySpreadConstraints": [{"maxSkew": 1}]}},
    "podTemplate.resources.requests": {"podTemplate": {"resources": {"requests": {"cpu": 1}}}},
    "podTemplate.resources.limits": {"podTemplate": {"resources": {"limits": {"cpu": 1}}}},
    "podTemplate.env": {"podTemplate": {"env": [{"name": "A", "value": "b"}]}},
    "podTemplate.volumes": {"podTemplate": {"volumes": [{"name": "a"}]}},
    "podTemplate.volumeMounts": {"podTemplate": {"volumeMounts": [{"name": "a"}]}},
    "podTemplate.runtimeClassName": {"podTemplate": {"runtimeClassName": "a"}},
    "podTemplate.priorityClassName": {"podTemplate": {"priorityClassName": "a"}},
}
NOT_OF_THE_PODS: dict[str, dict[str, Any]] = {
    "replicas": {"replicas": 3},
    "autoscaling.minReplicas": {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}},
    "autoscaling.maxReplicas": {"autoscaling": {"maxReplicas": 4}},
    "autoscaling.targetQueuedDocuments": {"autoscaling": {"maxReplicas": 3, "targetQueuedDocuments": 50}},
    "rollout.strategy": {"rollout": {"strategy": "InPlace"}},
    "rollout.progressDeadline": {"rollout": {"progressDeadline": "1h"}},
    "model.cache.storageClassName": {"model": {**HUB, "cache": {"size": "1Gi", "storageClassName": "fast"}}},
    "model.cache.accessMode": {"model": {**HUB, "cache": {"size": "1Gi", "accessMode": "ReadWriteMany"}}},
    "networkPolicy.enabled": {"networkPolicy": {"enabled": True}},
    "networkPolicy.allowFrom": {"networkPolicy": {"enabled": True, "allowFrom": [{"podSelector": {"a": "b"}}]}},
    "expose.ingress.host": {"expose": {"ingress": {"host": "a.example"}}},
    "expose.ingress.className": {"expose": {"ingress": {"host": "a.example", "className": "nginx"}}},
    "expose.ingress.path": {"expose": {"ingress": {"host": "a.example", "path": "/rerank"}}},
    "expose.ingress.tlsSecretName": {"expose": {"ingress": {"host": "a.example", "tlsSecretName": "tls"}}},
    "expose.ingress.annotations": {"expose": {"ingress": {"host": "a.example", "annotations": {"a": "b"}}}},
    "expose.httpRoute.parentRefs": {"expose": {"httpRoute": {"parentRefs": [{"name": "gateway"}]}}},
    "expose.httpRoute.hostnames": {
        "expose": {"httpRoute": {"parentRefs": [{"name": "gateway"}], "hostnames": ["a.example"]}}
    },
    "expose.httpRoute.path": {"expose": {"httpRoute": {"parentRefs": [{"name": "gateway"}], "path": "/rerank"}}},
    "expose.httpRoute.annotations": {
        "expose": {"httpRoute": {"parentRefs": [{"name": "gateway"}], "annotations": {"a": "b"}}}
    },
}
"""What changes other children, and leaves the pods that run as they are."""


def leaves(schema: dict[str, Any], prefix: str = "") -> set[str]:
    """The paths of all fields that aren't objects with fields."""
    if "properties" not in schema:
        return {prefix.rstrip(".")}
    return {leaf for name, child in schema["properties"].items() for leaf in leaves(child, f"{prefix}{name}.")}


def test_every_field_of_the_spec_is_tried():
    assert leaves(structural_schema(RerankerDeploymentSpec)) == CHANGES.keys() | NOT_OF_THE_PODS.keys()


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_of_the_pods_rolls_them(field: str):
    def template(**spec: Any) -> dict[str, Any]:
        found: dict[str, Any] = deployment(make_target(**spec))["spec"]["template"]
        return found

    change = CHANGES[field]
    others = [template(), template(model=HUB)] + [template(**other) for name, other in CHANGES.items() if name != field]
    assert template(**change) not in others


@pytest.mark.parametrize("field", NOT_OF_THE_PODS)
def test_every_other_field_changes_some_child_and_rolls_nothing(field: str):
    def made(spec: dict[str, Any]) -> list[dict[str, Any]]:
        return objects(make_target(**spec))

    def template(built: list[dict[str, Any]]) -> Any:
        return next(item["spec"]["template"] for item in built if item["kind"] == "Deployment")

    change = NOT_OF_THE_PODS[field]
    others = [made({}), *(made(other) for name, other in NOT_OF_THE_PODS.items() if name != field)]
    assert made(change) not in others
    model = CHANGES["model.cache.size"] if "model" in change else {}
    assert template(made(change)) == template(made(model))
