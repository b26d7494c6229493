"""The PodMonitor by which the Prometheus operator finds the pods, where the operator's configuration wants one each.

The chart's own PodMonitor finds all rerankers at once, but knows no Secrets: this is for rerankers whose /metrics needs
a key.
"""

from typing import Any

from reranker_operator.desired.target import Target
from reranker_operator.kinds import POD_MONITOR
from reranker_operator.names import PORT_NAME, selector_labels


def pod_monitor(target: Target) -> dict[str, Any] | None:
    """The PodMonitor; None where none is wanted or its CRD isn't installed."""
    wanted = target.settings.pod_monitors
    if not wanted.enabled or not target.has(POD_MONITOR):
        return None
    metadata = target.metadata(target.name)
    relabeling = {"targetLabel": "reranker", "replacement": target.name, "action": "replace"}
    endpoint: dict[str, Any] = {"port": PORT_NAME, "interval": wanted.interval, "relabelings": [relabeling]}
    auth = target.spec.auth
    if auth is not None and auth.protect_metrics:
        key = {"name": auth.api_key_secret_ref.name, "key": auth.api_key_secret_ref.key}
        endpoint["authorization"] = {"type": "Bearer", "credentials": key}
    return {
        "apiVersion": POD_MONITOR.api_version,
        "kind": POD_MONITOR.kind,
        "metadata": {**metadata, "labels": {**wanted.labels, **metadata["labels"]}},
        "spec": {"selector": {"matchLabels": selector_labels(target.name)}, "podMetricsEndpoints": [endpoint]},
    }
