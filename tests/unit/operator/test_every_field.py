"""A change of any field that matters to the pods rolls them, and no field is forgotten."""

from typing import Any

import pytest
from tests.unit.operator.builders import make_target

from reranker_operator.api.deployment import RerankerDeploymentSpec
from reranker_operator.api.schema import structural_schema
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
    "gpu.type": {"gpu": {"type": "t4"}},
    "gpu.count": {"gpu": {"type": "t4", "count": 2}},
    "engine.dtype": {"engine": {"dtype": "bfloat16"}},
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
NOT_OF_THE_PODS = {"replicas", "rollout.strategy"}


def leaves(schema: dict[str, Any], prefix: str = "") -> set[str]:
    """The paths of all fields that aren't objects with fields."""
    if "properties" not in schema:
        return {prefix.rstrip(".")}
    return {leaf for name, child in schema["properties"].items() for leaf in leaves(child, f"{prefix}{name}.")}


def test_every_field_of_the_spec_is_tried():
    assert leaves(structural_schema(RerankerDeploymentSpec)) == CHANGES.keys() | NOT_OF_THE_PODS


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_of_the_pods_rolls_them(field: str):
    def template(**spec: Any) -> dict[str, Any]:
        found: dict[str, Any] = deployment(make_target(**spec))["spec"]["template"]
        return found

    change = CHANGES[field]
    others = [template(), template(model=HUB)] + [template(**other) for name, other in CHANGES.items() if name != field]
    assert template(**change) not in others


@pytest.mark.parametrize("spec", [{"replicas": 3}, {"rollout": {"strategy": "InPlace"}}], ids=str)
def test_fields_of_the_deployment_alone_roll_nothing(spec: dict[str, Any]):
    changed, before = deployment(make_target(**spec))["spec"], deployment(make_target())["spec"]
    assert changed != before
    assert changed["template"] == before["template"]
