"""Reads what a pass over a RerankerDeployment needs to know of the cluster, with as few requests as that takes."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reranker_operator import names
from reranker_operator.kinds import (
    CHILDREN,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    NODE,
    OPTIONAL_CHILDREN,
    POD,
    REPLICA_SET,
    RERANKER_BENCHMARK,
    Kind,
)
from reranker_operator.kube import Kube, Object, RefusedError
from reranker_operator.plan import Identity, identity, is_owned
from reranker_operator.pod_failures import Failure, classify, is_being_created, is_unschedulable, mount_failure

DISCOVERY_SECONDS = 60.0
"""How long it is believed which optional kinds the cluster has."""

MOUNT_SECONDS = 10.0
"""How often a pod whose container is being made is looked at."""


@dataclass(frozen=True)
class Children:
    """What the cluster holds for a RerankerDeployment."""

    owned: dict[Identity, Object]
    pods: Sequence[Object]
    mounted: frozenset[str]
    """The ConfigMaps that the pods mount, and those that pods of the Deployment or of a ReplicaSet would."""


class ClusterReader:
    """Reads through one client."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._clock = clock
        self._optional: frozenset[Kind] = frozenset()
        self._discovered: float | None = None

    async def optional_kinds(self) -> frozenset[Kind]:
        """Which of the kinds that come with other products the cluster has now, or had a minute ago."""
        now = self._clock()
        if self._discovered is None or now - self._discovered > DISCOVERY_SECONDS:
            served = await asyncio.gather(*(self._kube.is_served(kind) for kind in OPTIONAL_CHILDREN))
            self._optional = frozenset(kind for kind, there in zip(OPTIONAL_CHILDREN, served, strict=True) if there)
            self._discovered = now
        return self._optional

    def forget_kinds(self) -> None:
        """Look anew which kinds there are: one that was there isn't any more."""
        self._discovered = None

    async def benchmarks(self, namespace: str) -> list[Object]:
        """The namespace's RerankerBenchmarks."""
        return await self._kube.list(RERANKER_BENCHMARK, namespace)

    async def children(self, resource: Object) -> Children:
        """All that the resource owns, and its pods."""
        namespace, name = resource["metadata"]["namespace"], resource["metadata"]["name"]
        selector = f"{names.INSTANCE_LABEL}={name},{names.MANAGED_SELECTOR}"
        kinds = (*CHILDREN, *sorted(await self.optional_kinds(), key=lambda kind: kind.plural))
        *found, pods = await asyncio.gather(
            *(self._kube.list(kind, namespace, selector) for kind in kinds),
            self._kube.list(POD, namespace, names.selector(name)),
        )
        owned = {identity(child): child for each in found for child in each if is_owned(child, resource)}
        deployment = owned.get((DEPLOYMENT.kind, name))
        # Read last: a ReplicaSet that is made from now on is one of the Deployment as it was, or will be.
        sets = (
            await self._kube.list(REPLICA_SET, namespace, names.selector(name))
            if _has_old_configuration(owned, name)
            else []
        )
        templates = [item["spec"]["template"] for item in (*sets, *([deployment] if deployment else []))]
        return Children(owned, pods, frozenset().union(*map(_config_maps, (*pods, *templates))))

    async def missing_node_labels(self, pods: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
        """The labels that an unschedulable pod asks of its node, where no node has them.

        None where there is no such pod, or the operator may not look at nodes: it serves single namespaces then.
        """
        waiting = (pod for pod in pods if is_unschedulable(classify(pod)))
        wanted = next((labels for pod in waiting if (labels := pod["spec"].get("nodeSelector"))), None)
        if wanted is None:
            return None
        selector = ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
        try:
            found = await self._kube.exists(NODE, selector)
        except RefusedError:
            return None
        return None if found else dict(wanted)

    async def mount_failure(self, pods: Sequence[Mapping[str, Any]]) -> Failure | None:
        """Why the newest pod that waits for its volumes waits in vain; None where none does."""
        newest = max(filter(is_being_created, pods), key=lambda pod: pod["metadata"]["creationTimestamp"], default=None)
        if newest is None:
            return None
        fields = f"involvedObject.uid={newest['metadata']['uid']}"
        return mount_failure(await self._kube.list(EVENT, newest["metadata"]["namespace"], fields=fields))


def _has_old_configuration(owned: Mapping[Identity, Object], name: str) -> bool:
    """Whether there may be a ConfigMap to delete, beside the present one."""
    others = {(CONFIG_MAP.kind, names.baseline_name(name))}
    return sum(kind == CONFIG_MAP.kind for kind, _ in owned.keys() - others) > 1


def _config_maps(pod: Mapping[str, Any]) -> frozenset[str]:
    """The names of the ConfigMaps that a pod, or a template of pods, mounts."""
    volumes = pod["spec"].get("volumes") or ()
    return frozenset(volume["configMap"]["name"] for volume in volumes if "configMap" in volume)


def look_again_after(pods: Sequence[Mapping[str, Any]]) -> float | None:
    """In how many seconds to look whether a pod's volumes can be mounted: the pod itself will not tell."""
    return MOUNT_SECONDS if any(map(is_being_created, pods)) else None
