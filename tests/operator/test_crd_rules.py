"""Every rule of the CRD, asked of the real API server: what it accepts, what it rejects, and with which words."""

from typing import Any

import pytest
from tests.operator.api import Api, Rejected
from tests.operator.resources import PATH_MODEL, reranker, try_to_create, with_, with_pods

HUB = {"name": "Qwen/Qwen3-Reranker-0.6B"}
PVC = {"pvc": {"claimName": "weights"}}
TOKEN = {"hub": {"tokenSecretRef": {"name": "hub", "key": "token"}}}

FP8: dict[str, Any] = {"backend": "qwen3_packed", "gpu": {"type": "h100"}, "engine": {"quantization": "fp8"}}


def with_model(**fields: Any) -> dict[str, Any]:
    return {"model": {**HUB, **fields}}


# Each line: what is accepted, the same with a fault, and a part of what the user reads then.
RULES = {
    "model is needed": (with_(), {}, "spec.model: Required value"),
    "model has a name": (with_(), {"model": {"name": ""}}, "spec.model.name"),
    "backend is known": (with_(backend="qwen3_vllm"), with_(backend="bm25"), 'supported values: "qwen3_vllm"'),
    "format is known": (with_(instructionFormat="standard"), with_(instructionFormat="long"), "instructionFormat"),
    "instruction isn't empty": (with_(instruction="Rank."), with_(instruction=""), "spec.instruction"),
    "model length has a floor": (with_(maxModelLen=64), with_(maxModelLen=63), "greater than or equal to 64"),
    "model length has a ceiling": (with_(maxModelLen=40960), with_(maxModelLen=40961), "less than or equal to 40960"),
    "replicas aren't negative": (with_(replicas=0), with_(replicas=-1), "spec.replicas"),
    "one source": (
        with_model(source=PVC),
        with_model(source={**PVC, **TOKEN}),
        "exactly one of pvc, image and hub must be given",
    ),
    "some source": (with_model(source=TOKEN), with_model(source={}), "exactly one of pvc, image and hub"),
    "a source stays within its volume": (
        with_model(source={"pvc": {"claimName": "weights", "path": "a/b-1.0"}}),
        with_model(source={"pvc": {"claimName": "weights", "path": "../etc"}}),
        "spec.model.source.pvc.path",
    ),
    "an image has a reference": (
        with_model(source={"image": {"reference": "registry.example/weights:1"}}),
        with_model(source={"image": {}}),
        "spec.model.source.image.reference",
    ),
    "a path takes no source": (
        with_model(source=PVC),
        {"model": {**PATH_MODEL, "source": PVC}},
        "it takes no source",
    ),
    "a path takes no revision": (
        with_model(revision="main"),
        {"model": {**PATH_MODEL, "revision": "main"}},
        "it takes no revision",
    ),
    "a cache goes with the hub": (
        with_model(source=TOKEN, cache={"existingClaim": "cache"}),
        with_model(source=PVC, cache={"existingClaim": "cache"}),
        "a cache is for downloaded weights",
    ),
    "a cache doesn't go with a path": (
        with_model(cache={"existingClaim": "cache"}),
        {"model": {**PATH_MODEL, "cache": {"existingClaim": "cache"}}},
        "a cache is for downloaded weights",
    ),
    "a gpu has a type": (with_(gpu={"type": "t4"}), with_(gpu={"count": 1}), "spec.gpu.type"),
    "one cache": (
        with_model(cache={"size": "20Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany"}),
        with_model(cache={"size": "20Gi", "existingClaim": "cache"}),
        "exactly one of existingClaim and size must be given",
    ),
    "some cache": (with_model(cache={"size": 1073741824}), with_model(cache={}), "exactly one of existingClaim and"),
    "a class goes with a claim of ours": (
        with_model(cache={"size": "20Gi", "storageClassName": "fast"}),
        with_model(cache={"existingClaim": "cache", "storageClassName": "fast"}),
        "they go with size only",
    ),
    "an access mode is known": (
        with_model(cache={"size": "20Gi", "accessMode": "ReadWriteOnce"}),
        with_model(cache={"size": "20Gi", "accessMode": "ReadOnlyMany"}),
        "spec.model.cache.accessMode",
    ),
    "a size is a quantity": (
        with_model(cache={"size": "1.5Ti"}),
        with_model(cache={"size": "much"}),
        "spec.model.cache.size",
    ),
    "packed runs on one gpu": (
        with_(gpu={"type": "t4", "count": 2}, backend="qwen3_packed"),
        with_(gpu={"type": "t4", "count": 2}, backend="qwen3_packed", engine={"tensorParallelSize": 2}),
        "qwen3_packed runs on one GPU",
    ),
    "documents fit the model length": (
        with_(maxModelLen=100, limits={"maxDocumentTokens": 100}),
        with_(maxModelLen=100, limits={"maxDocumentTokens": 101}),
        "limits.maxDocumentTokens must not exceed maxModelLen",
    ),
    "queued tokens are some": (
        with_(limits={"maxQueuedTokens": 1}),
        with_(limits={"maxQueuedTokens": 0}),
        "spec.limits.maxQueuedTokens",
    ),
    "min isn't above max": (
        with_(autoscaling={"minReplicas": 3, "maxReplicas": 3}),
        with_(autoscaling={"minReplicas": 4, "maxReplicas": 3}),
        "minReplicas must not exceed maxReplicas",
    ),
    "scaling has a ceiling": (
        with_(autoscaling={"maxReplicas": 3}),
        with_(autoscaling={"minReplicas": 1}),
        "spec.autoscaling.maxReplicas",
    ),
    "scaling ends above zero": (
        with_(autoscaling={"minReplicas": 1, "maxReplicas": 3}),
        with_(autoscaling={"minReplicas": 0, "maxReplicas": 3}),
        "spec.autoscaling.minReplicas",
    ),
    "scaling has a target": (
        with_(autoscaling={"maxReplicas": 3, "targetQueuedDocuments": 1}),
        with_(autoscaling={"maxReplicas": 3, "targetQueuedDocuments": 0}),
        "targetQueuedDocuments",
    ),
    "keys come from a secret's key": (
        with_(auth={"apiKeySecretRef": {"name": "keys", "key": "keys"}}),
        with_(auth={"apiKeySecretRef": {"name": "keys"}}),
        "spec.auth.apiKeySecretRef.key",
    ),
    "auth names a secret": (
        with_(auth={"apiKeySecretRef": {"name": "keys", "key": "keys"}, "protectMetrics": True}),
        with_(auth={"protectMetrics": True}),
        "spec.auth.apiKeySecretRef",
    ),
    "a check's mode is known": (
        with_(scoreCheck={"mode": "warn"}),
        with_(scoreCheck={"mode": "maybe"}),
        "spec.scoreCheck.mode",
    ),
    "a golden set is for a check": (
        with_(scoreCheck={"mode": "warn", "goldenSetConfigMap": "golden"}),
        with_(scoreCheck={"mode": "off", "goldenSetConfigMap": "golden"}),
        "with mode off a goldenSetConfigMap has no use",
    ),
    "drift is positive": (
        with_(scoreCheck={"maxDrift": 0.0001}),
        with_(scoreCheck={"maxDrift": 0}),
        "maxDrift must be above 0",
    ),
    "a deadline isn't short": (
        with_(rollout={"progressDeadline": "30s"}),
        with_(rollout={"progressDeadline": "29s"}),
        "progressDeadline must be between 30s and 24h",
    ),
    "clients are named where they matter": (
        with_(networkPolicy={"enabled": True, "allowFrom": [{"podSelector": {}}]}),
        with_(networkPolicy={"allowFrom": [{"podSelector": {}}]}),
        "allowFrom has no effect unless enabled",
    ),
    "one way in": (
        with_(expose={"ingress": {"host": "rerank.example"}}),
        with_(expose={"ingress": {"host": "rerank.example"}, "httpRoute": {"parentRefs": [{"name": "gateway"}]}}),
        "exactly one of ingress and httpRoute must be given",
    ),
    "some way in": (
        with_(expose={"httpRoute": {"parentRefs": [{"name": "gateway"}], "hostnames": ["*.example"]}}),
        with_(expose={}),
        "exactly one of ingress and httpRoute must be given",
    ),
    "a route has a gateway": (
        with_(expose={"httpRoute": {"parentRefs": [{"name": "gateway"}]}}),
        with_(expose={"httpRoute": {"parentRefs": []}}),
        "spec.expose.httpRoute.parentRefs",
    ),
    "a host is a name": (
        with_(expose={"ingress": {"host": "rerank.example", "path": "/rerank"}}),
        with_(expose={"ingress": {"host": "https://rerank.example"}}),
        "spec.expose.ingress.host",
    ),
    "a path is absolute": (
        with_(expose={"ingress": {"host": "rerank.example", "path": "/rerank"}}),
        with_(expose={"ingress": {"host": "rerank.example", "path": "rerank"}}),
        "spec.expose.ingress.path",
    ),
    "at least one gpu": (with_(gpu={"type": "t4", "count": 1}), with_(gpu={"type": "t4", "count": 0}), "gpu.count"),
    "no more parallel than gpus": (
        with_(gpu={"type": "t4", "count": 2}, engine={"tensorParallelSize": 2}),
        with_(gpu={"type": "t4"}, engine={"tensorParallelSize": 2}),
        "must not exceed gpu.count",
    ),
    "not parallel without gpus": (
        with_(engine={"tensorParallelSize": 1}),
        with_(engine={"tensorParallelSize": 2}),
        "must not exceed gpu.count",
    ),
    "fp8 is for packed": (
        with_(**FP8),
        with_(**FP8 | {"backend": "qwen3_vllm"}),
        "engine.quantization is for qwen3_packed only: set backend to qwen3_packed",
    ),
    "fp8 is checked": (
        with_(**FP8, scoreCheck={"mode": "enforce", "maxDrift": 1}),
        with_(**FP8, scoreCheck={"mode": "warn"}),
        "engine.quantization needs scoreCheck.mode enforce",
    ),
    "fp8 is checked at all": (
        with_(scoreCheck={"mode": "off"}),
        with_(**FP8, scoreCheck={"mode": "off"}),
        "engine.quantization needs scoreCheck.mode enforce",
    ),
    "fp8 runs on a gpu": (
        with_(**FP8),
        with_(backend="qwen3_packed", engine={"quantization": "fp8"}),
        "engine.quantization needs a GPU",
    ),
    "fp8 stands beside bfloat16": (
        with_(**FP8 | {"engine": {"quantization": "fp8", "dtype": "bfloat16"}}),
        with_(**FP8 | {"engine": {"quantization": "fp8", "dtype": "float16"}}),
        "computes the rest in bfloat16: leave engine.dtype out",
    ),
    "quantization is known": (
        with_(**FP8),
        with_(**FP8 | {"engine": {"quantization": "int4"}}),
        "engine.quantization: Unsupported value",
    ),
    "dtype is known": (with_(engine={"dtype": "bfloat16"}), with_(engine={"dtype": "int4"}), "engine.dtype"),
    "batches aren't empty": (with_(engine={"inferBatchSize": 1}), with_(engine={"inferBatchSize": 0}), "inferBatch"),
    "memory is a share": (
        with_(engine={"gpuMemoryUtilization": 1}),
        with_(engine={"gpuMemoryUtilization": 1.1}),
        "gpuMemoryUtilization",
    ),
    "memory is some": (
        with_(engine={"gpuMemoryUtilization": 0.01}),
        with_(engine={"gpuMemoryUtilization": 0}),
        "gpuMemoryUtilization must be above 0",
    ),
    "the largest request fits the queue": (
        with_(limits={"maxDocuments": 500, "maxQueuedDocuments": 500}),
        with_(limits={"maxDocuments": 500, "maxQueuedDocuments": 499}),
        "maxQueuedDocuments must be at least maxDocuments",
    ),
    "bodies aren't tiny": (with_(limits={"maxBodyBytes": 1024}), with_(limits={"maxBodyBytes": 1023}), "maxBodyBytes"),
    "a timeout is a duration": (
        with_(limits={"requestTimeout": "1m30s"}),
        with_(limits={"requestTimeout": "90"}),
        "requestTimeout",
    ),
    "a timeout isn't short": (
        with_(limits={"requestTimeout": "1s"}),
        with_(limits={"requestTimeout": "999ms"}),
        "requestTimeout must be between 1s and 1h",
    ),
    "a timeout isn't long": (
        with_(limits={"requestTimeout": "1h"}),
        with_(limits={"requestTimeout": "61m"}),
        "requestTimeout must be between 1s and 1h",
    ),
    "a drain isn't long": (
        with_(rollout={"drainTimeout": "30m"}),
        with_(rollout={"drainTimeout": "31m"}),
        "drainTimeout must be between 1s and 30m",
    ),
    "a strategy is known": (with_(rollout={"strategy": "InPlace"}), with_(rollout={"strategy": "Both"}), "strategy"),
    "a pull secret has a name": (with_(imagePullSecrets=[{"name": "a"}]), with_(imagePullSecrets=[{}]), "name"),
    "our labels are ours": (
        with_pods(metadata={"labels": {"team": "search"}}),
        with_pods(metadata={"labels": {"app.kubernetes.io/name": "mine"}}),
        "belong to the operator",
    ),
    "our annotation is ours": (
        with_pods(metadata={"annotations": {"team": "search"}}),
        with_pods(metadata={"annotations": {"reranker.dev/config-hash": "0"}}),
        "belong to the operator",
    ),
    "a variable has one origin": (
        with_pods(env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]),
        with_pods(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]),
        "only one of value and valueFrom",
    ),
    "a variable comes once": (
        with_pods(env=[{"name": "A", "value": "1"}]),
        with_pods(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        "Duplicate value",
    ),
    "our volumes are ours": (
        with_pods(volumes=[{"name": "extra", "emptyDir": {}}]),
        with_pods(volumes=[{"name": "config", "emptyDir": {}}]),
        "belong to the operator",
    ),
    "resources are quantities": (
        with_pods(resources={"requests": {"cpu": 2, "memory": "3Gi"}}),
        with_pods(resources={"requests": {"memory": "a lot"}}),
        "resources.requests.memory",
    ),
    "tolerations are checked": (
        with_pods(tolerations=[{"operator": "Exists"}]),
        with_pods(tolerations=[{"operator": "Sometimes"}]),
        "tolerations[0].operator",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_accepts(api: Api, rule: str):
    accepted, _, _ = RULES[rule]
    try_to_create(api, accepted)


@pytest.mark.parametrize("rule", RULES)
def test_rule_rejects(api: Api, rule: str):
    _, rejected, message = RULES[rule]
    with pytest.raises(Rejected) as caught:
        try_to_create(api, rejected)
    assert message in str(caught.value)


CLAIM = {"size": "20Gi", "storageClassName": "fast", "accessMode": "ReadWriteOnce"}
# What a claim of the operator's making was, and becomes: accepted, rejected, and what the user reads then.
CHANGES = {
    "a claim grows": (CLAIM, {"size": "20480Mi"}, {"size": "19Gi"}, "a claim can't shrink"),
    "a claim's class stays": (CLAIM, {"size": "21Gi"}, {"storageClassName": "slow"}, "can't be changed"),
    "a claim's mode stays": (CLAIM, {"size": "21Gi"}, {"accessMode": "ReadWriteMany"}, "can't be changed"),
    "a claim's class isn't dropped": (CLAIM, {"size": "21Gi"}, {"storageClassName": None}, "can't be changed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_a_claim(api: Api, namespace: str, change: str):
    before, accepted, rejected, message = CHANGES[change]
    api.create("rerankerdeployments", {**reranker(namespace), "spec": with_model(cache=before)})
    with pytest.raises(Rejected) as caught:
        api.patch("rerankerdeployments", namespace, "products", {"spec": {"model": {"cache": rejected}}})
    assert message in str(caught.value)
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"model": {"cache": accepted}}})


def test_claim_may_go_and_come_again_as_another(api: Api, namespace: str):
    api.create("rerankerdeployments", {**reranker(namespace), "spec": with_model(cache=CLAIM)})
    for cache in (None, {"size": "1Gi"}):
        api.patch("rerankerdeployments", namespace, "products", {"spec": {"model": {"cache": cache}}})


@pytest.mark.parametrize("name", ["a", "products-2", "a" * 56])
def test_name_of_a_service_is_accepted(api: Api, name: str):
    try_to_create(api, with_(), name)


@pytest.mark.parametrize("name", ["2-products", "products.eu", "a" * 57])
def test_other_name_is_rejected(api: Api, name: str):
    with pytest.raises(Rejected, match="the name becomes that of a Service"):
        try_to_create(api, with_(), name)
