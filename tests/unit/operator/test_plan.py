"""What a pass decides to do."""

from typing import Any

import pytest
from tests.unit.operator.builders import LOCAL_MODEL, make_settings

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


def test_valid_spec_is_applied():
    plan = make_plan(resource(), [], make_settings())
    assert plan.verdict.accepted
    assert [identity(item) for item in plan.apply] == [
        ("ConfigMap", "products-config"),
        ("Service", "products"),
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
        ({"backend": "future"}, "InvalidSpec", "spec.backend: Input should be"),
    ],
)
def test_unusable_spec_touches_nothing(spec: dict[str, Any], reason: str, message: str):
    plan = make_plan(resource(**spec), [child("ConfigMap", "products-old")], make_settings())
    assert plan.verdict.reason == reason
    assert message in plan.verdict.message
    assert not plan.apply
    assert not plan.delete


def test_newer_card_computes_in_bfloat16():
    assert make_plan(resource(gpu={"type": "h100"}, engine={"dtype": "bfloat16"}), [], make_settings()).verdict.accepted


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
