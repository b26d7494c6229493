"""The Services in front of the pods: one address for all, and one that resolves to each."""

from typing import Any

from reranker_operator.desired.target import Target
from reranker_operator.names import PORT, PORT_NAME, headless_service_name, selector_labels


def service(target: Target) -> dict[str, Any]:
    """The Service that clients use."""
    return _service(target, target.name)


def headless_service(target: Target) -> dict[str, Any]:
    """The Service for clients that balance the load themselves: its name resolves to the pods that are ready."""
    return _service(target, headless_service_name(target.name), clusterIP="None")


def _service(target: Target, name: str, **more: Any) -> dict[str, Any]:
    port = {"name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": target.metadata(name),
        "spec": {"type": "ClusterIP", **more, "selector": selector_labels(target.name), "ports": [port]},
    }
