"""The Deployment: how many pods, and how one set of them replaces another."""

import hashlib
import json
import math
from typing import Any

from reranker_operator.api.base import parse_duration
from reranker_operator.desired.configmap import config_hash
from reranker_operator.desired.pod import pod_spec
from reranker_operator.desired.target import Target
from reranker_operator.names import CONFIG_HASH_ANNOTATION, TEMPLATE_HASH_ANNOTATION, labels, selector_labels

MIN_READY_SECONDS = 3
"""A new pod has been ready this long before an old one goes, so that every node's proxy knows it by then."""

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
            "progressDeadlineSeconds": math.ceil(parse_duration(spec.rollout.progress_deadline).total_seconds()),
            "selector": {"matchLabels": selector_labels(target.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": _STRATEGIES[spec.rollout.strategy]},
            "template": _template(target),
        },
    }


def _template(target: Target) -> dict[str, Any]:
    """The pods' template, with a hash of itself by which its pods are told from those of an earlier one."""
    template: dict[str, Any] = {"metadata": _pod_metadata(target), "spec": pod_spec(target)}
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()
    template["metadata"]["annotations"][TEMPLATE_HASH_ANNOTATION] = digest[:16]
    return template


def _pod_metadata(target: Target) -> dict[str, Any]:
    wanted = target.spec.pod_template.metadata
    own_labels = (wanted.labels if wanted is not None else None) or {}
    own_annotations = (wanted.annotations if wanted is not None else None) or {}
    return {
        "labels": {**own_labels, **labels(target.name)},
        "annotations": {**own_annotations, CONFIG_HASH_ANNOTATION: config_hash(target)},
    }
