"""What the RerankerDeployments' statuses say, as metrics: alerts and dashboards read conditions nowhere else.

Each pass over an object replaces what was said of it, and an object that is gone leaves no series behind: a condition
that nobody updates any more would wake someone for ever. As kube-state-metrics does, every status that a condition
may have is a series, 1 for the one that holds and 0 for the others, so that an alert's series are there before it
fires.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

STATUSES = ("True", "False", "Unknown")


class ObjectMetrics:
    """The gauges about single objects."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._condition = Gauge(
            "reranker_operator_condition",
            "1 for the status that a RerankerDeployment's condition has, 0 for the others.",
            ["namespace", "name", "type", "status"],
            registry=registry,
        )
        self._spec_replicas = Gauge(
            "reranker_operator_spec_replicas",
            "Pods that a RerankerDeployment's spec asks for.",
            ["namespace", "name"],
            registry=registry,
        )
        self._ready_replicas = Gauge(
            "reranker_operator_ready_replicas",
            "Pods of a RerankerDeployment that serve.",
            ["namespace", "name"],
            registry=registry,
        )

    def observe(self, resource: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Take over what a pass has found out about an object."""
        key = (resource["metadata"]["namespace"], resource["metadata"]["name"])
        self._spec_replicas.labels(*key).set(resource["spec"].get("replicas", 1))
        self._ready_replicas.labels(*key).set(status.get("readyReplicas") or 0)
        for condition in status.get("conditions", ()):
            for each in STATUSES:
                self._condition.labels(*key, condition["type"], each).set(condition["status"] == each)

    def forget(self, namespace: str, name: str) -> None:
        """An object is gone."""
        labels = {"namespace": namespace, "name": name}
        for gauge in (self._condition, self._spec_replicas, self._ready_replicas):
            gauge.remove_by_labels(labels)
