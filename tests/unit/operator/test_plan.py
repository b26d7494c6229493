"""What a pass decides to do."""

from typing import Any

import pytest
from tests.unit.operator.builders import LOCAL_MODEL, make_settings, make_target

from reranker_operator.desired.configmap import config_hash
from reranker_operator.kinds import HTTP_ROUTE, SCALED_OBJECT
from reranker_operator.names import labels
from reranker_operator.plan import LeftoverError, conflict, identity, make_plan


def resource(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "products", "namespace": "shop", "uid": "u1"}
    return {"metadata": metadata, "spec": {"model": LOCAL_MODEL, **spec}}


def child(child_kind: str, child_name: str, **owner: Any) -> dict[str, Any]:
    reference = {"apiVersion": "reranker.dev/v1alpha1", "kind": "RerankerDeployment", "name": "products", "uid": "u1"}
    return {
        "kind": child_kind,
        "metadata": {"name": child_name, "ownerReferences": [{**reference, "controller": True, **owner}]},
    }


FP8: dict[str, Any] = {"backend": "qwen3_packed", "engine": {"quantization": "fp8"}}


def test_valid_spec_is_applied():
    plan = make_plan(resource(), [], make_settings())
    assert plan.verdict.accepted
    assert [identity(item) for item in plan.apply] == [
        ("ServiceAccount", "products"),
        ("ConfigMap", f"products-config-{config_hash(make_target())[:10]}"),
        ("Service", "products"),
        ("Service", "products-pods"),
        ("Deployment", "products"),
    ]
    assert not plan.delete


def test_child_no_longer_wanted_is_deleted():
    old = child("ConfigMap", "products-old")
    plan = make_plan(resource(), [child("Service", "products"), old], make_settings())
    assert plan.delete == [old]


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"gpu": {"type": "t5"}}, "ProfileNotFound", "'t5' is no GPU profile of this operator; it has: cpu, h100, t4"),
        ({"gpu": {"type": "t4"}, "engine": {"dtype": "bfloat16"}}, "DTypeUnsupported", "has 7.5: use float16"),
        (
            {"gpu": {"type": "t4"}, **FP8},
            "DTypeUnsupported",
            "quantization fp8 needs compute capability 8.9; gpu.type 't4'",
        ),
        (
            {"gpu": {"type": "h100"}, **FP8, "engine": {"quantization": "fp8", "dtype": "float16"}},
            "DTypeUnsupported",
            "the dtype of gpu.type 'h100' is float16: set engine.dtype to bfloat16",
        ),
        ({"backend": "future"}, "InvalidSpec", "spec.backend: Input should be"),
        (
            {"gpu": {"type": "t4"}, "model": {"name": "Qwen/Qwen3-Reranker-8B"}, "engine": {"dtype": "float32"}},
            "DoesNotFit",
            "take 28.2 GiB in float32; gpu.type 't4' has 16 GiB",
        ),
        (
            {"expose": {"httpRoute": {"parentRefs": [{"name": "gateway"}]}}},
            "KindMissing",
            "expose.httpRoute needs the Gateway API",
        ),
    ],
)
def test_unusable_spec_touches_nothing(spec: dict[str, Any], reason: str, message: str):
    plan = make_plan(resource(**spec), [child("ConfigMap", "products-old")], make_settings())
    assert plan.verdict.reason == reason
    assert message in plan.verdict.message
    assert not plan.apply
    assert not plan.delete


def test_baselines_are_never_pruned():
    kept = child("ConfigMap", "products-baseline")
    assert not make_plan(resource(), [kept], make_settings()).delete


def test_configuration_that_pods_may_read_yet_is_kept():
    old, older = child("ConfigMap", "products-config-1"), child("ConfigMap", "products-config-0")
    plan = make_plan(resource(), [old, older], make_settings(), mounted=frozenset({"products-config-1", "foreign"}))
    assert plan.delete == [older]


def test_autoscaler_goes_before_keda_takes_over():
    scaler = child("HorizontalPodAutoscaler", "products")
    scaled = resource(autoscaling={"maxReplicas": 3})
    assert make_plan(scaled, [scaler], make_settings(), frozenset({SCALED_OBJECT})).delete_first == [scaler]
    assert make_plan(scaled, [scaler], make_settings()).delete == []
    unscaled = make_plan(resource(), [scaler], make_settings(), frozenset({SCALED_OBJECT}))
    assert (unscaled.delete, unscaled.delete_first) == ([scaler], [])


def test_route_is_made_where_the_cluster_has_the_kind():
    spec = {"expose": {"httpRoute": {"parentRefs": [{"name": "gateway"}], "hostnames": ["a.example"]}}}
    plan = make_plan(resource(**spec), [], make_settings(), frozenset({HTTP_ROUTE}))
    (route,) = [item for item in plan.apply if item["kind"] == "HTTPRoute"]
    assert route["spec"] == {
        "parentRefs": [{"name": "gateway"}],
        "hostnames": ["a.example"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": "products", "port": 8000}],
            }
        ],
    }


@pytest.mark.parametrize("fields", [{"engine": {"dtype": "bfloat16"}}, FP8])
def test_newer_card_computes_in_bfloat16_and_fp8(fields: dict[str, Any]):
    assert make_plan(resource(gpu={"type": "h100"}, **fields), [], make_settings()).verdict.accepted


FITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "known model that fits": ({"model": {"name": "Qwen/Qwen3-Reranker-8B"}, "gpu": {"type": "t4"}}, "SpecValid", ""),
    "split over two cards": (
        {
            "model": {"name": "Qwen/Qwen3-Reranker-8B"},
            "gpu": {"type": "t4", "count": 2},
            "engine": {"dtype": "float32", "tensorParallelSize": 2},
        },
        "SpecValid",
        "",
    ),
    "unknown model": ({"gpu": {"type": "t4"}}, "FitUnknown", "the size of the model '/models/tiny-reranker'"),
    "quantized": (
        {
            "model": {"name": "Qwen/Qwen3-Reranker-8B"},
            "gpu": {"type": "t4"},
            "engine": {"extraArgs": {"quantization": "fp8"}},
        },
        "FitUnknown",
        "is not known",
    ),
    "card of unknown memory": (
        {"model": {"name": "Qwen/Qwen3-Reranker-0.6B"}, "gpu": {"type": "h100"}},
        "FitUnknown",
        "does not say how much memory",
    ),
    "on CPUs": ({"model": {"name": "mine"}}, "SpecValid", ""),
}


@pytest.mark.parametrize("case", FITS)
def test_fit(case: str):
    spec, reason, message = FITS[case]
    verdict = make_plan(resource(**spec), [], make_settings()).verdict
    assert (verdict.reason, verdict.accepted) == (reason, True)
    assert message in verdict.message


@pytest.mark.parametrize(("memory", "engine", "reason"), [
    (8, {"quantization": "fp8"}, "SpecValid"),
    (8, {}, "DoesNotFit"),
    (6, {"quantization": "fp8"}, "DoesNotFit"),
])  # fmt: skip
def test_fp8_takes_a_byte_a_weight(memory: int, engine: dict[str, str], reason: str):
    card = {"resource": "nvidia.com/gpu", "memoryGiB": memory, "computeCapability": "8.9", "dtype": "bfloat16"}
    spec = {"backend": "qwen3_packed", "model": {"name": "Qwen/Qwen3-Reranker-8B"}, "gpu": {"type": "small"}}
    verdict = make_plan(resource(**spec, engine=engine), [], make_settings(gpuProfiles={"small": card})).verdict
    assert verdict.reason == reason


def test_own_child_is_no_conflict():
    assert conflict(child("Service", "products"), resource()) is None


def test_orphan_with_our_labels_is_adopted():
    orphan = {"kind": "Service", "metadata": {"name": "products", "labels": {**labels("products"), "more": "x"}}}
    assert conflict(orphan, resource()) is None


def test_object_of_nobody_is_a_conflict():
    verdict = conflict({"kind": "Service", "metadata": {"name": "products"}}, resource())
    assert verdict is not None
    assert verdict.message.startswith("Service products is there already; delete it")


def test_object_of_another_controller_is_a_conflict():
    other = child("Deployment", "products", apiVersion="apps/v1", kind="Other", name="x", uid="u2")
    verdict = conflict(other, resource())
    assert verdict is not None
    assert verdict.message.startswith("Deployment products belongs to Other x;")


def test_child_of_a_former_resource_of_this_name_is_waited_for():
    with pytest.raises(LeftoverError, match="of an earlier RerankerDeployment of this name"):
        conflict(child("Service", "products", uid="u0"), resource())
