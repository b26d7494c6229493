"""The pods: one container, hardened to Pod Security `restricted`, with everything writable in volumes."""

import math
from typing import Any

from reranker_operator.desired import model, mounts
from reranker_operator.desired.configmap import config_map_of
from reranker_operator.desired.hardening import container_security, pod_security
from reranker_operator.desired.target import ACCEPT_SECONDS, PRE_STOP_SECONDS, SLACK_SECONDS, Target
from reranker_operator.names import CONTAINER, PORT, PORT_NAME, cache_claim_name

CONFIG_MOUNT = mounts.ROOT
TMP_MOUNT = "/tmp"  # noqa: S108 - a volume of the pod's own
STARTUP_SECONDS = 300
"""How long a pod may take to open its port before it is started anew. It does so before it loads its model, which may
take far longer: then it is alive, but not ready."""
_STARTUP_PERIOD_SECONDS = 2


def pod_spec(target: Target) -> dict[str, Any]:
    """The pods' spec."""
    wanted, profile = target.spec.pod_template, target.profile
    grace = PRE_STOP_SECONDS + ACCEPT_SECONDS + target.drain_seconds + SLACK_SECONDS
    spec: dict[str, Any] = {
        "serviceAccountName": target.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": math.ceil(grace),
        "securityContext": pod_security(),
        "containers": [_container(target)],
        "volumes": _volumes(target),
    }
    tolerations = [*profile.tolerations, *(wanted.tolerations or [])]
    optional = {
        "imagePullSecrets": _pull_secrets(target),
        "nodeSelector": {**profile.node_selector, **(wanted.node_selector or {})},
        "tolerations": _unique([toleration.as_object() for toleration in tolerations]),
        "affinity": wanted.affinity,
        "topologySpreadConstraints": wanted.topology_spread_constraints,
        "runtimeClassName": wanted.runtime_class_name or profile.runtime_class_name,
        "priorityClassName": wanted.priority_class_name,
    }
    return {**spec, **{key: value for key, value in optional.items() if value}}


def image_of(target: Target) -> str:
    """The service's image: the spec's, else the profile's, else the default for a GPU or for CPUs."""
    images = target.settings.images
    default = images.gpu if _has_gpu(target) else images.cpu
    return target.spec.image or target.profile.image or default


def _has_gpu(target: Target) -> bool:
    return target.profile.resource is not None


def _container(target: Target) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": image_of(target),
        "imagePullPolicy": target.settings.image_pull_policy,
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment(target),
        "resources": _resources(target),
        "volumeMounts": _mounts(target),
        "startupProbe": _probe("/livez", _STARTUP_PERIOD_SECONDS, STARTUP_SECONDS // _STARTUP_PERIOD_SECONDS),
        "readinessProbe": _probe("/readyz", 5, 3),
        "livenessProbe": _probe("/livez", 10, 3),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        # The service writes why it could not start; where it can't, the last lines of its log stand for that.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
    }


def _probe(path: str, period_seconds: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT_NAME, "scheme": "HTTP"},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def _environment(target: Target) -> list[dict[str, Any]]:
    """The operator's variables, each overridden by the spec's of the same name, then the spec's others."""
    own: list[dict[str, Any]] = [
        {"name": "RERANKER_CONFIG", "value": f"{CONFIG_MOUNT}/config.yaml"},
        {"name": "HOME", "value": TMP_MOUNT},
        *model.environment(target.spec.model),
    ]
    if not _has_gpu(target):
        # As many threads as the container may use; without a limit that is what the node has.
        limit = {"containerName": CONTAINER, "resource": "limits.cpu", "divisor": "1"}
        own.append({"name": "OMP_NUM_THREADS", "valueFrom": {"resourceFieldRef": limit}})
    merged = {variable["name"]: variable for variable in own}
    for variable in target.spec.pod_template.env or []:
        merged[variable.name] = variable.as_object()
    return list(merged.values())


def _resources(target: Target) -> dict[str, Any]:
    """The spec's resources with the GPUs on both sides, as extended resources must be."""
    wanted = target.spec.pod_template.resources
    resources = wanted.as_object() if wanted is not None else {}
    if target.profile.resource is None or target.spec.gpu is None:
        return resources
    gpus = {target.profile.resource: target.spec.gpu.count}
    return {side: {**resources.get(side, {}), **gpus} for side in ("requests", "limits")}


def _volumes(target: Target) -> list[dict[str, Any]]:
    own: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": config_map_of(target)}},
        {"name": "tmp", "emptyDir": {}},
        *model.volumes(target.spec.model, cache_claim_name(target.name)),
        *(volume for volume, _ in mounts.volumes(target)),
    ]
    if _has_gpu(target):
        # Processes of one model exchange tensors through shared memory; the container's default of 64 MiB is too small.
        own.append({"name": "shm", "emptyDir": {"medium": "Memory"}})
    return [*own, *(target.spec.pod_template.volumes or [])]


def _mounts(target: Target) -> list[dict[str, Any]]:
    own: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_MOUNT, "readOnly": True},
        {"name": "tmp", "mountPath": TMP_MOUNT},
        *model.mounts(target.spec.model),
        *(mount for _, mount in mounts.volumes(target)),
    ]
    if _has_gpu(target):
        own.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - a volume of the pod's own
    return [*own, *(target.spec.pod_template.volume_mounts or [])]


def _pull_secrets(target: Target) -> list[dict[str, str]]:
    wanted = [secret.name for secret in target.spec.image_pull_secrets or []]
    return _unique([{"name": name} for name in (*target.settings.image_pull_secrets, *wanted)])


def _unique(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries without repetitions, in order."""
    return [entry for position, entry in enumerate(entries) if entry not in entries[:position]]
