"""Why pods don't serve: from what the kubelet and the scheduler wrote into them to one reason and a sentence.

The wording is stable while the cause is: what changes by itself (back-off times, restart counts) stays out of it, so
that an object whose pod fails again and again is not written again and again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reranker_operator import reasons
from reranker_operator.names import CONTAINER

Pod = Mapping[str, Any]

MESSAGE_LIMIT = 600
"""How much of a foreign message is quoted, in characters."""

_IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_MOUNT_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


@dataclass(frozen=True)
class Failure:
    """Why a pod doesn't serve."""

    reason: str
    message: str


def find_failure(pods: Sequence[Pod]) -> Failure | None:
    """The failure of the newest pod that has one; pods that serve or are going have none."""
    waiting = [pod for pod in pods if not is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
    newest_first = sorted(waiting, key=_age_key, reverse=True)
    return next((failure for pod in newest_first if (failure := classify(pod)) is not None), None)


def is_ready(pod: Pod) -> bool:
    """Whether the pod takes traffic."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in _status(pod, "conditions")
    )


def classify(pod: Pod, container: str = CONTAINER) -> Failure | None:
    """Why this pod's container doesn't run, or None when it is just starting."""
    return _scheduling_failure(pod) or _container_failure(pod, container)


def is_unschedulable(failure: Failure | None) -> bool:
    """Whether no node takes the pod."""
    return failure is not None and failure.reason == reasons.UNSCHEDULABLE


def is_being_created(pod: Pod) -> bool:
    """Whether its container is still being made: it waits for its volumes, perhaps in vain, and doesn't say so."""
    waiting = (status.get("state", {}).get("waiting", {}) for status in _status(pod, "containerStatuses"))
    return "deletionTimestamp" not in pod["metadata"] and any(
        state.get("reason") == "ContainerCreating" for state in waiting
    )


def mount_failure(events: Iterable[Mapping[str, Any]]) -> Failure | None:
    """Why a pod's volumes can't be mounted, by the newest of the kubelet's Events; None where it complains of nothing.

    A pod's status doesn't tell of that.
    """
    complaints = (event for event in events if event.get("reason") in _MOUNT_EVENTS)
    newest = max(complaints, key=lambda event: event.get("lastTimestamp") or "", default=None)
    if newest is None:
        return None
    return Failure(reasons.VOLUME_NOT_MOUNTED, f"a volume can't be mounted: {shortened(newest.get('message', ''))}")


def shortened(text: str) -> str:
    """A foreign message in one line and at most `MESSAGE_LIMIT` characters; its end matters most."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else f"…{line[-MESSAGE_LIMIT:]}"


def _scheduling_failure(pod: Pod) -> Failure | None:
    for condition in _status(pod, "conditions"):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = shortened(condition.get("message", ""))
            if "persistentvolumeclaim" in message.lower():
                return Failure(reasons.VOLUME_NOT_BOUND, f"a volume can't be bound: {message}")
            if condition.get("reason") == "Unschedulable":
                return Failure(reasons.UNSCHEDULABLE, f"no node takes the pod: {message}")
    return None


def _container_failure(pod: Pod, container: str) -> Failure | None:
    for status in _status(pod, "containerStatuses"):
        if status["name"] != container:
            continue
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _IMAGE_REASONS:
            message = shortened(waiting.get("message", ""))
            return Failure(reasons.IMAGE_PULL, f"the image {status['image']} can't be pulled: {message}")
        if waiting.get("reason") in _CONFIG_REASONS:
            message = shortened(waiting.get("message", ""))
            return Failure(reasons.CONTAINER_CONFIG, f"the container can't be created: {message}")
        return _end_of(status)
    return None


def _end_of(status: Mapping[str, Any]) -> Failure | None:
    """How the container last ended: now, or before the restart that it is in."""
    ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
    if ended is None:
        return None
    if ended.get("reason") == "OOMKilled":
        return Failure(reasons.OOM_KILLED, "the container needed more memory than its limit and was ended")
    said_reason, colon, said_message = ended.get("message", "").partition(": ")
    if colon and said_reason in reasons.START_FAILURES:
        # In the service's own words: one line that begins with the reason.
        return Failure(said_reason, f"the service could not start: {shortened(said_message)}")
    last_words = shortened(ended.get("message", ""))
    said = f": {last_words}" if last_words else "; it left no message"
    return Failure(reasons.CRASH_LOOP, f"the container ended with exit code {ended.get('exitCode')}{said}")


def _status(pod: Pod, field: str) -> Iterable[Mapping[str, Any]]:
    entries: Iterable[Mapping[str, Any]] = pod.get("status", {}).get(field) or ()
    return entries


def _age_key(pod: Pod) -> tuple[str, str]:
    """Sorts by creation, and by name among pods of the same second."""
    return pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]
