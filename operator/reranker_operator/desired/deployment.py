"""The Deployment: how many pods, and how one set of them replaces another."""

from typing import Any

from reranker_operator.desired.configmap import config_hash
from reranker_operator.desired.pod import STARTUP_SECONDS, pod_spec
from reranker_operator.desired.target import Target
from reranker_operator.names import CONFIG_HASH_ANNOTATION, labels, selector_labels

MIN_READY_SECONDS = 3
"""A new pod has been ready this long before an old one goes, so that every node's proxy knows it by then."""
PROGRESS_DEADLINE_SECONDS = STARTUP_SECONDS + 300
"""Longer than a pod may take to load its model: pulling the image comes before that."""

_STRATEGIES = {
    "Surge": {"maxSurge": 1, "maxUnavailable": 0},
    "InPlace": {"maxSurge": 0, "maxUnavailable": 1},
}


def deployment(target: Target) -> dict[str, Any]:
    """The Deployment."""
    spec = target.spec
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": target.metadata(target.name),
        "spec": {
            "replicas": spec.replicas,
            "revisionHistoryLimit": 3,
            "minReadySeconds": MIN_READY_SECONDS,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
            "selector": {"matchLabels": selector_labels(target.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": _STRATEGIES[spec.rollout.strategy]},
            "template": {"metadata": _pod_metadata(target), "spec": pod_spec(target)},
        },
    }


def _pod_metadata(target: Target) -> dict[str, Any]:
    wanted = target.spec.pod_template.metadata
    own_labels = (wanted.labels if wanted is not None else None) or {}
    own_annotations = (wanted.annotations if wanted is not None else None) or {}
    return {
        "labels": {**own_labels, **labels(target.name)},
        "annotations": {**own_annotations, CONFIG_HASH_ANNOTATION: config_hash(target)},
    }
