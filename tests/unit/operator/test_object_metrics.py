"""Conditions and replicas as metrics."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from reranker_operator.object_metrics import ObjectMetrics

PREFIX = "reranker_operator"


def resource(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec}


def status(available: str, ready: int | None = None) -> dict[str, Any]:
    return {"conditions": [{"type": "Available", "status": available}], "readyReplicas": ready}


def samples(registry: CollectorRegistry, metric: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values())[1:]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == f"{PREFIX}_{metric}"
    }


def test_the_status_that_holds_is_1_and_the_others_are_there_as_0() -> None:
    registry = CollectorRegistry()
    metrics = ObjectMetrics(registry)
    metrics.observe(resource("products", replicas=3), status("False", 1))
    assert samples(registry, "condition") == {
        ("products", "Available", "True"): 0,
        ("products", "Available", "False"): 1,
        ("products", "Available", "Unknown"): 0,
    }
    assert samples(registry, "spec_replicas") == {("products",): 3}
    assert samples(registry, "ready_replicas") == {("products",): 1}
    metrics.observe(resource("products", replicas=3), status("True", 3))
    assert samples(registry, "condition")["products", "Available", "True"] == 1
    assert samples(registry, "condition")["products", "Available", "False"] == 0


def test_what_was_never_deployed_has_no_ready_pod() -> None:
    registry = CollectorRegistry()
    ObjectMetrics(registry).observe(resource("products"), status("False"))
    assert samples(registry, "spec_replicas") == {("products",): 1}
    assert samples(registry, "ready_replicas") == {("products",): 0}


def test_an_object_that_is_gone_leaves_nothing_and_the_others_stay() -> None:
    registry = CollectorRegistry()
    metrics = ObjectMetrics(registry)
    for name in ("products", "articles"):
        metrics.observe(resource(name), status("True", 1))
    metrics.forget("shop", "products")
    metrics.forget("shop", "never-there")
    for metric in ("condition", "spec_replicas", "ready_replicas"):
        assert {labels[0] for labels in samples(registry, metric)} == {"articles"}
