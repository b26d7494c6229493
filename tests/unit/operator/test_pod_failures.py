"""Pods as kubelet and scheduler write them, and the reason that is told."""

from typing import Any

import pytest

from reranker_operator.pod_failures import Failure, classify, find_failure, is_being_created, mount_failure, shortened


def pod(name: str = "p", created: str = "2026-01-01T00:00:00Z", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": created}, "status": status}


def container(state: dict[str, Any], last: dict[str, Any] | None = None, name: str = "reranker") -> dict[str, Any]:
    return {"containerStatuses": [{"name": name, "image": "i:1", "state": state, "lastState": last or {}}]}


def waiting(reason: str, message: str = "m") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def terminated(reason: str, code: int, message: str = "") -> dict[str, Any]:
    return {"terminated": {"reason": reason, "exitCode": code, "message": message}}


def unscheduled(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}


CASES: dict[str, tuple[dict[str, Any], Failure | None]] = {
    "no status yet": ({}, None),
    "creating": (container(waiting("ContainerCreating")), None),
    "running": (container({"running": {}}), None),
    "another container": (container(waiting("ImagePullBackOff"), name="sidecar"), None),
    "pull": (container(waiting("ErrImagePull")), Failure("ImagePull", "the image i:1 can't be pulled: m")),
    "bad name": (container(waiting("InvalidImageName")), Failure("ImagePull", "the image i:1 can't be pulled: m")),
    "missing secret": (
        container(waiting("CreateContainerConfigError")),
        Failure("ContainerConfig", "the container can't be created: m"),
    ),
    "out of memory now": (
        container(terminated("OOMKilled", 137)),
        Failure("OOMKilled", "the container needed more memory than its limit and was ended"),
    ),
    "out of memory before": (
        container(waiting("CrashLoopBackOff"), terminated("OOMKilled", 137)),
        Failure("OOMKilled", "the container needed more memory than its limit and was ended"),
    ),
    "crash": (
        container(waiting("CrashLoopBackOff"), terminated("Error", 2, "bad\nkey")),
        Failure("CrashLoop", "the container ended with exit code 2: bad key"),
    ),
    "running again after a crash": (
        container({"running": {}}, terminated("Error", 2)),
        Failure("CrashLoop", "the container ended with exit code 2; it left no message"),
    ),
    "in the service's own words": (
        container(waiting("CrashLoopBackOff"), terminated("Error", 1, f"ModelNotFound: {'x' * 700} no such model")),
        Failure("ModelNotFound", f"the service could not start: …{'x' * 586} no such model"),
    ),
    "words that are no reason of ours": (
        container(waiting("CrashLoopBackOff"), terminated("Error", 1, "ValueError: bad")),
        Failure("CrashLoop", "the container ended with exit code 1: ValueError: bad"),
    ),
    "no node": (unscheduled("0/3 nodes"), Failure("Unschedulable", "no node takes the pod: 0/3 nodes")),
    "no volume": (
        unscheduled("pod has unbound immediate PersistentVolumeClaims"),
        Failure("VolumeNotBound", "a volume can't be bound: pod has unbound immediate PersistentVolumeClaims"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_pod_is_classified(case: str):
    status, failure = CASES[case]
    assert classify(pod(**status)) == failure


def test_newest_pod_that_fails_is_told_of():
    old = pod("a", "2026-01-01T00:00:00Z", **container(waiting("ErrImagePull")))
    new = pod("b", "2026-01-02T00:00:00Z", **unscheduled("0/3 nodes"))
    newest = pod("c", "2026-01-03T00:00:00Z")
    found = find_failure([new, newest, old])
    assert found is not None
    assert found.reason == "Unschedulable"


def test_pods_that_serve_or_go_have_no_failure():
    crashed = container({"running": {}}, terminated("Error", 2))
    serving = pod(conditions=[{"type": "Ready", "status": "True"}], **crashed)
    going = pod(**crashed)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert find_failure([serving, going]) is None


def test_long_messages_keep_their_end():
    text = shortened("begin\n" + "x" * 1000 + " end")
    assert len(text) == 601
    assert text.startswith("…x")
    assert text.endswith("x end")


def test_newest_complaint_of_the_kubelet_tells_why_a_volume_is_not_mounted():
    events = [
        {"reason": "FailedMount", "lastTimestamp": "2026-01-02T00:00:00Z", "message": 'secret "keys" not found'},
        {"reason": "FailedAttachVolume", "lastTimestamp": "2026-01-01T00:00:00Z", "message": "Multi-Attach error"},
        {"reason": "Scheduled", "lastTimestamp": "2026-01-03T00:00:00Z", "message": "of another sort"},
        {"reason": "FailedMount", "lastTimestamp": None, "message": "of an unknown time"},
    ]
    assert mount_failure(events) == Failure("VolumeNotMounted", 'a volume can\'t be mounted: secret "keys" not found')
    assert mount_failure([]) is None


def test_pod_that_waits_for_its_volumes_is_one_whose_container_is_being_made():
    assert is_being_created(pod(**container(waiting("ContainerCreating"))))
    assert not is_being_created(pod(**container(waiting("CrashLoopBackOff"))))
    assert not is_being_created(pod())
