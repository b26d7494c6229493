"""How the reranker that a scenario is to measure stands: it serves, it starts, or it won't.

Pure. A failure that time may heal (an image that can't be pulled right now, a GPU that is taken) is given some time;
one that came back after a restart, or that the reranker's own conditions call final, is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reranker_operator import benchmark_reasons, reasons
from reranker_operator.benchmark_status import parse_stamp
from reranker_operator.names import CONTAINER
from reranker_operator.pod_failures import classify, shortened

Object = Mapping[str, Any]

PATIENCE = timedelta(minutes=2)
"""How long a pod may fail in a way that passes by itself, such as a registry that doesn't answer."""
_PASSING = frozenset({reasons.IMAGE_PULL, reasons.CONTAINER_CONFIG, reasons.VOLUME_NOT_BOUND, reasons.PODS_REFUSED})
_FINAL = frozenset({reasons.DEADLINE_EXCEEDED, reasons.SCORE_CHECK_FAILED})
"""Of the reranker's own conditions: what doesn't pass."""
_TOLD_LATE = frozenset({reasons.PODS_REFUSED, reasons.VOLUME_NOT_MOUNTED})
"""What only these tell of, and may pass."""
_RESTARTS = 2
"""A container that ended so often will end again."""


@dataclass(frozen=True)
class Ready:
    """It serves the wanted scenario with all its pods."""


@dataclass(frozen=True)
class Starting:
    """It isn't there yet."""

    reason: str
    message: str


@dataclass(frozen=True)
class Hopeless:
    """It won't be there: the scenario has failed."""

    reason: str
    message: str


Standing = Ready | Starting | Hopeless


def standing(reranker: Object, pods: Sequence[Object], since: datetime, now: datetime, gpu_wait: timedelta) -> Standing:
    """How a RerankerDeployment stands, of which a scenario was asked at `since`.

    Its status must be of that scenario already (see `is_told`).
    """
    conditions = _conditions(reranker)
    accepted, progressing, available = (conditions.get(kind, {}) for kind in ("Accepted", "Progressing", "Available"))
    final = [
        *([accepted] if accepted.get("status") == "False" else []),
        *([progressing] if progressing.get("reason") in _FINAL else []),
        *([progressing] if progressing.get("reason") in _TOLD_LATE and now - since >= PATIENCE else []),
    ]
    if final:
        return Hopeless(final[0]["reason"], final[0]["message"])
    if (trouble := trouble_of(pods, since, now, gpu_wait)) is not None:
        return trouble
    going = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]
    complete = progressing.get("reason") == reasons.ROLLOUT_COMPLETE and available.get("status") == "True"
    if complete and not going:
        return Ready()
    if complete:
        return Starting(benchmark_reasons.RERANKER_STARTING, f"the pod {going[0]} of before has not ended yet")
    message = available.get("message") if available.get("status") != "True" else progressing.get("message")
    return Starting(benchmark_reasons.RERANKER_STARTING, message or "the operator has not looked at it yet")


def is_told(reranker: Object, overlay: tuple[str, str] | None = None) -> bool:
    """Whether the status is of the present spec, and with this benchmark's scenario laid over it."""
    status = reranker.get("status") or {}
    seen: bool = status.get("observedGeneration") == reranker["metadata"]["generation"]
    if overlay is None:
        return seen
    told = status.get("benchmark") or {}
    return seen and (told.get("name"), told.get("overlay")) == overlay


def trouble_of(
    pods: Sequence[Object],
    since: datetime,
    now: datetime,
    gpu_wait: timedelta,
    container: str = CONTAINER,
) -> Starting | Hopeless | None:
    """What keeps pods from running, and whether there is hope; None where nothing does."""
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"]:
            continue
        failure = classify(pod, container)
        if failure is None:
            continue
        if failure.reason == reasons.UNSCHEDULABLE:
            return _unscheduled(pod, now, gpu_wait)
        if failure.reason in reasons.CRASHES and _restarts(pod, container) >= _RESTARTS:
            return Hopeless(failure.reason, failure.message)
        if failure.reason in _PASSING and now - max(since, _created(pod, since)) >= PATIENCE:
            return Hopeless(failure.reason, failure.message)
        return Starting(failure.reason, failure.message)
    return None


def _unscheduled(pod: Object, now: datetime, gpu_wait: timedelta) -> Starting | Hopeless:
    entry = next(each for each in pod["status"]["conditions"] if each["type"] == "PodScheduled")
    waited = now - parse_stamp(entry["lastTransitionTime"])
    said = shortened(entry.get("message", ""))
    wants = _extended_resources(pod)
    missing = next((resource for resource in wants if f"Insufficient {resource}" in said), None)
    if missing is None:
        reason, message = reasons.UNSCHEDULABLE, f"no node takes the pod: {said}"
        return Starting(reason, message) if waited < gpu_wait else Hopeless(reason, message)
    if waited < gpu_wait:
        return Starting(benchmark_reasons.WAITING_FOR_GPU, f"no {missing} is free: {said}")
    message = f"no {missing} was free for {int(gpu_wait.total_seconds())} s (gpuWaitTimeout): {said}"
    return Hopeless(benchmark_reasons.NO_FREE_GPU, message)


def _extended_resources(pod: Object) -> list[str]:
    """The resources such as nvidia.com/gpu that the pod asks for."""
    asked = [
        resource
        for container in pod["spec"]["containers"]
        for resource in (container.get("resources") or {}).get("requests") or {}
    ]
    return [resource for resource in asked if "/" in resource]


def _restarts(pod: Object, container: str) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((status.get("restartCount", 0) for status in statuses if status["name"] == container), default=0)


def _created(pod: Object, otherwise: datetime) -> datetime:
    created = pod["metadata"].get("creationTimestamp")
    return parse_stamp(created) if created else otherwise


def _conditions(resource: Object) -> dict[str, Object]:
    return {condition["type"]: condition for condition in (resource.get("status") or {}).get("conditions") or ()}
