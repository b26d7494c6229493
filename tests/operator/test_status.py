"""Conditions, counts and Events; the tests play scheduler and kubelet and write the pods' status."""

import pytest
from tests.operator.api import Api, Object, eventually
from tests.operator.resources import (
    conditions,
    container_status,
    make_ready,
    new_pods,
    pods_of,
    ready_status,
    reranker,
    set_status,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("operator")


def waiting(reason: str, message: str) -> Object:
    return {"containerStatuses": [container_status(state={"waiting": {"reason": reason, "message": message}})]}


def ended(reason: str, code: int, message: str = "") -> Object:
    terminated = {"reason": reason, "exitCode": code, "message": message}
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
    return {
        "containerStatuses": [container_status(restartCount=3, state=state, lastState={"terminated": terminated})],
    }


def unscheduled(message: str) -> Object:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}


FAILURES = {
    "ImagePull": (waiting("ImagePullBackOff", "manifest unknown"), "can't be pulled: manifest unknown"),
    "Unschedulable": (unscheduled("0/3 nodes: Insufficient nvidia.com/gpu."), "Insufficient nvidia.com/gpu"),
    "VolumeNotBound": (unscheduled('persistentvolumeclaim "weights" not found'), '"weights" not found'),
    "ContainerConfig": (waiting("CreateContainerConfigError", 'secret "hub" not found'), 'secret "hub" not found'),
    "OOMKilled": (ended("OOMKilled", 137), "more memory than its limit"),
    "NoMatchingNodes": (unscheduled("0/3 nodes: didn't match node selector."), "no node has the labels disk=fast"),
    "ModelNotFound": (ended("Error", 1, "ModelNotFound: no such model: a/b"), "could not start: no such model: a/b"),
    "BadConfiguration": (ended("Error", 2, "BadConfiguration: unknown key"), "could not start: unknown key"),
    "CrashLoop": (ended("Error", 2, "unknown key\n  max_modle_len"), "exit code 2: unknown key max_modle_len"),
}


@pytest.mark.parametrize("reason", FAILURES)
def test_pod_that_fails_is_told_by_conditions_and_event(api: Api, namespace: str, reason: str):
    pods = {"nodeSelector": {"disk": "fast"}} if reason == "NoMatchingNodes" else {}
    api.create("rerankerdeployments", reranker(namespace, podTemplate=pods))
    (pod,) = new_pods(api, namespace)
    wait_for(api, namespace, Available="PodsStarting", Progressing="RollingOut")
    status, message = FAILURES[reason]
    set_status(api, pod, status)

    resource = wait_for(api, namespace, Available=reason, Progressing=reason)
    assert message in conditions(resource)["Available"]["message"]
    assert conditions(resource)["Available"]["status"] == "False"
    assert conditions(resource)["Progressing"]["status"] == "True"

    def told() -> Object:
        events = [event for event in api.list("events", namespace) if event["reason"] == reason]
        assert {event["type"] for event in events} == {"Warning"}
        assert events[0]["involvedObject"]["kind"] == "RerankerDeployment"
        return events[0]

    assert message in eventually(told, "an Event tells of it")["message"]


def test_volume_that_can_not_be_mounted_is_told_though_the_pod_is_silent(api: Api, namespace: str):
    auth = {"apiKeySecretRef": {"name": "keys", "key": "keys"}}
    api.create("rerankerdeployments", reranker(namespace, auth=auth))
    (pod,) = new_pods(api, namespace)
    event = {
        "metadata": {"generateName": "pod-", "namespace": namespace},
        "involvedObject": {"kind": "Pod", "namespace": namespace, **{k: pod["metadata"][k] for k in ("name", "uid")}},
        "type": "Warning",
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "auth" : secret "keys" not found',
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    api.create("events", event)
    set_status(api, pod, waiting("ContainerCreating", ""))
    resource = wait_for(api, namespace, Available="VolumeNotMounted", Progressing="VolumeNotMounted")
    assert 'secret "keys" not found' in conditions(resource)["Available"]["message"]


def test_pod_that_is_not_let_in_is_told(api: Api, namespace: str):
    volumes = [{"name": "host", "hostPath": {"path": "/"}}]
    api.create("rerankerdeployments", reranker(namespace, podTemplate={"volumes": volumes}))
    resource = wait_for(api, namespace, Available="PodsRefused")
    assert "violates PodSecurity" in conditions(resource)["Available"]["message"]


def test_ready_pods_make_it_available_and_the_rollout_complete(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace, replicas=2, model={"name": "/models/tiny", "revision": None}))
    first, second = new_pods(api, namespace, 2)
    make_ready(api, first)
    resource = wait_for(api, namespace, Available="MinimumReplicasAvailable", Progressing="RollingOut")
    assert resource["status"]["ready"] == "1/2"
    make_ready(api, second)
    resource = wait_for(api, namespace, Available="MinimumReplicasAvailable", Progressing="RolloutComplete")
    status = dict(resource["status"])
    assert {entry["observedGeneration"] for entry in status.pop("conditions")} == {1}
    assert status == {
        "observedGeneration": 1,
        "replicas": 2,
        "readyReplicas": 2,
        "ready": "2/2",
        "selector": "app.kubernetes.io/name=reranker,app.kubernetes.io/instance=products,"
        "app.kubernetes.io/component=server",
        "endpoint": f"http://products.{namespace}.svc:8000",
        "model": {"name": "/models/tiny"},
    }


def test_old_pods_serve_while_a_bad_rollout_is_told(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace))
    old = new_pods(api, namespace)
    make_ready(api, *old)
    good = wait_for(api, namespace, Progressing="RolloutComplete")
    since = conditions(good)["Available"]["lastTransitionTime"]

    api.patch("rerankerdeployments", namespace, "products", {"spec": {"image": "no:such"}})
    (bad,) = new_pods(api, namespace, besides=old)
    set_status(api, bad, waiting("ErrImagePull", "not found"))
    resource = wait_for(api, namespace, Available="MinimumReplicasAvailable", Progressing="ImagePull")
    assert conditions(resource)["Available"]["lastTransitionTime"] == since
    assert len(pods_of(api, namespace)) == 2

    # The way back is one patch.
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"image": None}})
    wait_for(api, namespace, Available="MinimumReplicasAvailable", Progressing="RolloutComplete")


def test_in_place_ends_the_old_pod_first(api: Api, namespace: str):
    api.create("rerankerdeployments", reranker(namespace, rollout={"strategy": "InPlace"}))
    (old,) = new_pods(api, namespace)
    set_status(api, old, ready_status())
    wait_for(api, namespace, Progressing="RolloutComplete")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": 100}})
    (new,) = new_pods(api, namespace, besides=[old])
    assert [pod["metadata"]["name"] for pod in pods_of(api, namespace)] == [new["metadata"]["name"]]
    wait_for(api, namespace, Available="PodsStarting")
