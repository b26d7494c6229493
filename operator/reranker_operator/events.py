"""Kubernetes Events about a custom resource, as `kubectl describe` shows them."""

from typing import Any, Protocol

from reranker_operator.names import FIELD_MANAGER

MESSAGE_LIMIT = 1024
"""Longer notes are refused by the API server."""


class Turn(Protocol):
    """What an Event tells of: mostly a condition that turned."""

    @property
    def type(self) -> str:
        """What turned."""

    @property
    def reason(self) -> str:
        """Why, in one word."""

    @property
    def message(self) -> str:
        """Why, for people."""

    @property
    def is_warning(self) -> bool:
        """Whether someone has to act."""


def event(resource: dict[str, Any], turn: Turn, now: str) -> dict[str, Any]:
    """The Event that tells of a turn."""
    metadata = resource["metadata"]
    message = f"{turn.type}: {turn.message}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
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
