"""RerankerDeployments and pods' statuses for the tests, and what is read off them."""

from collections.abc import Sequence
from typing import Any

import yaml
from tests.operator.api import Api, Object, eventually

PATH_MODEL = {"name": "/models/tiny-reranker"}
CONTAINER = "reranker"
REVISION = "deployment.kubernetes.io/revision"


def reranker(namespace: str, name: str = "products", **spec: Any) -> Object:
    """A minimal RerankerDeployment with these fields on top."""
    return {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"model": PATH_MODEL, **spec},
    }


def with_(**fields: Any) -> dict[str, Any]:
    """A minimal spec with these fields on top."""
    return {"model": PATH_MODEL, **fields}


def with_pods(**fields: Any) -> dict[str, Any]:
    """A minimal spec with these fields in its template of pods."""
    return with_(podTemplate=fields)


def try_to_create(api: Api, spec: dict[str, Any], name: str = "products") -> Object:
    """What the API server makes of a RerankerDeployment with this spec; nothing is stored."""
    return api.create("rerankerdeployments", {**reranker("default", name), "spec": spec}, dry_run=True)


def conditions(resource: Object | None) -> dict[str, Object]:
    """The conditions by type; empty before the first status."""
    found = (resource or {}).get("status", {}).get("conditions", [])
    return {condition["type"]: condition for condition in found}


def wait_for(api: Api, namespace: str, name: str = "products", within: float = 20, **wanted: str) -> Object:
    """Wait until the conditions of the present generation have these reasons; the resource."""

    def look() -> Object:
        resource = api.get("rerankerdeployments", namespace, name)
        assert resource is not None
        assert resource.get("status", {}).get("observedGeneration") == resource["metadata"]["generation"]
        seen = {kind: condition["reason"] for kind, condition in conditions(resource).items()}
        assert {kind: seen.get(kind) for kind in wanted} == wanted, seen
        return resource

    return eventually(look, f"{name} has {wanted}", within)


def pods_of(api: Api, namespace: str, name: str = "products") -> list[Object]:
    """The pods that aren't going, newest first."""
    pods = api.list("pods", namespace, f"app.kubernetes.io/instance={name}")
    present = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return sorted(present, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)


def new_pods(
    api: Api, namespace: str, count: int = 1, name: str = "products", besides: Sequence[Object] = ()
) -> list[Object]:
    """Wait for this many pods of the Deployment's present template; after a change, besides those of before."""
    old = {pod["metadata"]["name"] for pod in besides}

    def look() -> list[Object]:
        deployment = api.get("deployments", namespace, name)
        assert deployment is not None
        assert deployment.get("status", {}).get("observedGeneration") == deployment["metadata"]["generation"]
        revision = deployment["metadata"]["annotations"][REVISION]
        sets = api.list("replicasets", namespace, f"app.kubernetes.io/instance={name}")
        (current,) = [item for item in sets if item["metadata"]["annotations"][REVISION] == revision]
        owner = current["metadata"]["uid"]
        pods = [pod for pod in pods_of(api, namespace, name) if pod["metadata"]["ownerReferences"][0]["uid"] == owner]
        names = {pod["metadata"]["name"] for pod in pods}
        assert len(names - old) == len(names) == count, names
        return pods

    return eventually(look, f"{count} pods of the present template")


def config_map(api: Api, namespace: str, name: str = "products") -> Object | None:
    """The ConfigMap with the configuration of the Deployment's present template."""
    deployment = api.get("deployments", namespace, name)
    return None if deployment is None else api.get("configmaps", namespace, config_map_name(deployment))


def config_map_name(deployment: Object) -> str:
    """The ConfigMap that the pods of a Deployment, or a ReplicaSet, read."""
    volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    found: str = volumes["config"]["configMap"]["name"]
    return found


def service_config(api: Api, namespace: str, name: str = "products") -> Object | None:
    """The present configuration of the service, below `services.rerank`; None where there is none yet."""
    found = config_map(api, namespace, name)
    if found is None:
        return None
    rerank: Object = yaml.safe_load(found["data"]["config.yaml"])["services"]["rerank"]
    return rerank


def set_status(api: Api, pod: Object, status: Object) -> None:
    """Write a pod's status, as kubelet and scheduler do."""
    metadata = pod["metadata"]
    api.patch("pods", metadata["namespace"], metadata["name"], {"status": status}, subresource="status")


def make_ready(api: Api, *pods: Object) -> None:
    """Have the pods serve."""
    for pod in pods:
        set_status(api, pod, ready_status())


def ready_status() -> Object:
    return {
        "phase": "Running",
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            for kind in ("PodScheduled", "Ready", "ContainersReady", "Initialized")
        ],
        "containerStatuses": [container_status(ready=True, state={"running": {"startedAt": "2026-01-01T00:00:00Z"}})],
    }


def container_status(**fields: Any) -> Object:
    return {"name": CONTAINER, "image": "some:image", "imageID": "", "ready": False, "restartCount": 0, **fields}
