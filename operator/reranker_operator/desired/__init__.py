"""Desired state: pure functions from an accepted spec to the objects that the cluster should hold.

No clock, no I/O and no observed state comes in: the same spec and configuration always give the same objects, so
applying them again changes nothing.
"""

from typing import Any

from reranker_operator.desired.configmap import config_map
from reranker_operator.desired.deployment import deployment
from reranker_operator.desired.service import service
from reranker_operator.desired.target import Target

__all__ = ["Target", "objects"]


def objects(target: Target) -> list[dict[str, Any]]:
    """All children, in the order in which they are applied: pods find their configuration when they start."""
    return [config_map(target), service(target), deployment(target)]
