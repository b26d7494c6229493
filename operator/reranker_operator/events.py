"""Kubernetes Events about a RerankerDeployment, as `kubectl describe` shows them."""

from typing import Any

from reranker_operator.names import API_VERSION, FIELD_MANAGER, KIND
from reranker_operator.status import Turn

MESSAGE_LIMIT = 1024
"""Longer notes are refused by the API server."""


def event(resource: dict[str, Any], turn: Turn, now: str) -> dict[str, Any]:
    """The Event that tells of a condition's turn."""
    metadata = resource["metadata"]
    message = f"{turn.type}: {turn.message}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": "Warning" if turn.is_warning else "Normal",
        "reason": turn.reason,
        "message": message if len(message) <= MESSAGE_LIMIT else f"{message[: MESSAGE_LIMIT - 1]}…",
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
