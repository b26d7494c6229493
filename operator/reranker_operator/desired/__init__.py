"""Desired state: pure functions from an accepted spec to the objects that the cluster should hold.

No clock, no I/O and no observed state comes in: the same spec and configuration always give the same objects, so
applying them again changes nothing.
"""

from typing import Any

from reranker_operator.desired.autoscaler import autoscaler
from reranker_operator.desired.cache_claim import cache_claim
from reranker_operator.desired.configmap import config_map
from reranker_operator.desired.deployment import deployment
from reranker_operator.desired.disruption_budget import disruption_budget
from reranker_operator.desired.exposure import exposure
from reranker_operator.desired.network_policy import network_policy
from reranker_operator.desired.pod_monitor import pod_monitor
from reranker_operator.desired.service import headless_service, service
from reranker_operator.desired.service_account import service_account
from reranker_operator.desired.target import Target

__all__ = ["Target", "objects"]


def objects(target: Target) -> list[dict[str, Any]]:
    """All children, in the order in which they are applied: what pods need is there when they start."""
    wanted = [
        service_account(target),
        config_map(target),
        cache_claim(target),
        network_policy(target),
        service(target),
        headless_service(target),
        deployment(target),
        disruption_budget(target),
        autoscaler(target),
        pod_monitor(target),
        exposure(target),
    ]
    return [manifest for manifest in wanted if manifest is not None]
