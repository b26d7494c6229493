"""The PodDisruptionBudget: a drained node takes one pod at a time. With a single pod it would only block the drain."""

from typing import Any

from reranker_operator.desired.target import Target
from reranker_operator.names import selector_labels


def disruption_budget(target: Target) -> dict[str, Any] | None:
    """The PodDisruptionBudget; None for fewer than two pods."""
    if target.spec.replicas < 2:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": target.metadata(target.name),
        "spec": {
            "maxUnavailable": 1,
            # A pod that doesn't serve is in no one's way: it may always be evicted.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector_labels(target.name)},
        },
    }
