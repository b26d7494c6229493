"""The NetworkPolicy: who may reach the pods. Only what comes in is limited: the pods may download their model."""

from typing import Any

from reranker_operator.desired.target import Target
from reranker_operator.kinds import SCALED_OBJECT
from reranker_operator.names import (
    BENCHMARK_COMPONENT,
    COMPONENT_LABEL,
    FIELD_MANAGER,
    MANAGED_BY_LABEL,
    PORT_NAME,
    selector_labels,
)

_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def network_policy(target: Target) -> dict[str, Any] | None:
    """The NetworkPolicy; None where everyone may come."""
    wanted = target.spec.network_policy
    if not wanted.enabled:
        return None
    clients = wanted.allow_from if wanted.allow_from is not None else [{"podSelector": {}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": target.metadata(target.name),
        "spec": {
            "podSelector": {"matchLabels": selector_labels(target.name)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": PORT_NAME, "protocol": "TCP"}], "from": [*clients, *_always(target)]}],
        },
    }


def _always(target: Target) -> list[dict[str, Any]]:
    """The operator, which reads the pods' score check, benchmark Jobs, and Prometheus."""
    access = target.settings.network_policy
    benchmark = {COMPONENT_LABEL: BENCHMARK_COMPONENT, MANAGED_BY_LABEL: FIELD_MANAGER}
    operator: dict[str, Any] = {"podSelector": {"matchLabels": {COMPONENT_LABEL: "operator"}}, "namespaceSelector": {}}
    if access.operator_namespace is not None:
        operator["namespaceSelector"] = {"matchLabels": {_NAMESPACE_NAME: access.operator_namespace}}
    return [{"podSelector": {"matchLabels": benchmark}}, operator, *access.prometheus, *_keda(target)]


def _keda(target: Target) -> list[dict[str, Any]]:
    """KEDA, where it asks the pods themselves."""
    if target.spec.autoscaling is None or not target.has(SCALED_OBJECT) or target.settings.prometheus_url is not None:
        return []
    return [{"podSelector": {"matchLabels": {"app": "keda-operator"}}, "namespaceSelector": {}}]
