"""The Service in front of the pods."""

from typing import Any

from reranker_operator.desired.target import Target
from reranker_operator.names import PORT, PORT_NAME, selector_labels


def service(target: Target) -> dict[str, Any]:
    """The Service."""
    port = {"name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": target.metadata(target.name),
        "spec": {"type": "ClusterIP", "selector": selector_labels(target.name), "ports": [port]},
    }
