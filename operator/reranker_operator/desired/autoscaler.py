"""What changes the number of pods: a ScaledObject where KEDA is installed, else a HorizontalPodAutoscaler.

Both write the RerankerDeployment's own `replicas` through its scale subresource. The Deployment's is the operator's,
so nothing fights over it.
"""

from typing import Any

from reranker_operator.api.serving import Autoscaling
from reranker_operator.desired.target import Target
from reranker_operator.kinds import SCALED_OBJECT
from reranker_operator.names import API_VERSION, KIND, PORT, headless_service_name

METRIC = "reranker_queued_documents"
"""The pods' gauge of documents that wait."""
DOWN_SECONDS = 300
"""How long less work must wait before pods are taken away: a pod costs minutes to bring back."""


def autoscaler(target: Target) -> dict[str, Any] | None:
    """The autoscaler; None where there shall be none."""
    wanted = target.spec.autoscaling
    # An autoscaler rests at 0 by itself, but KEDA would first bring the pods back to its minimum.
    if wanted is None or target.spec.replicas == 0:
        return None
    return _scaled_object(target, wanted) if target.has(SCALED_OBJECT) else _horizontal(target, wanted)


def _horizontal(target: Target, wanted: Autoscaling) -> dict[str, Any]:
    average = {"type": "AverageValue", "averageValue": str(wanted.target_queued_documents)}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": target.metadata(target.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": API_VERSION, "kind": KIND, "name": target.name},
            "minReplicas": wanted.min_replicas,
            "maxReplicas": wanted.max_replicas,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": METRIC}, "target": average}}],
            "behavior": _behavior(),
        },
    }


def _scaled_object(target: Target, wanted: Autoscaling) -> dict[str, Any]:
    return {
        "apiVersion": SCALED_OBJECT.api_version,
        "kind": SCALED_OBJECT.kind,
        "metadata": target.metadata(target.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": API_VERSION, "kind": KIND, "name": target.name},
            "minReplicaCount": wanted.min_replicas,
            "maxReplicaCount": wanted.max_replicas,
            "pollingInterval": 15,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior()}},
            "triggers": [_trigger(target, str(wanted.target_queued_documents))],
        },
    }


def _trigger(target: Target, threshold: str) -> dict[str, Any]:
    """Asks Prometheus where its address is known, else every pod."""
    address = target.settings.prometheus_url
    if address is not None:
        query = f'sum({METRIC}{{namespace="{target.namespace}",reranker="{target.name}"}})'
        metadata = {"serverAddress": address, "query": query, "threshold": threshold}
        return {"type": "prometheus", "metricType": "AverageValue", "metadata": metadata}
    host = f"{headless_service_name(target.name)}.{target.namespace}.svc"
    metadata = {
        "url": f"http://{host}:{PORT}/metrics",
        "format": "prometheus",
        "valueLocation": METRIC,
        "targetValue": threshold,
        "aggregateFromKubeServiceEndpoints": "true",
        "aggregationType": "sum",
    }
    return {"type": "metrics-api", "metricType": "AverageValue", "metadata": metadata}


def _behavior() -> dict[str, Any]:
    return {"scaleDown": {"stabilizationWindowSeconds": DOWN_SECONDS}}
