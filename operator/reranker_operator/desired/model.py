"""Where the model's files are found in a pod: the path or name for the engine, volumes, and the hub's variables."""

from typing import Any

from reranker_operator.api.model import Model

MODEL_MOUNT = "/models/source"
CACHE_MOUNT = "/var/cache/reranker"


def engine_model_name(model: Model) -> str:
    """What the engine is told to load: a name on the hub or an absolute path."""
    path = _mounted_path(model)
    return model.name if path is None else f"{MODEL_MOUNT}/{path}".rstrip("/")


def is_local(model: Model) -> bool:
    """Whether all files are there already, so that nothing is ever asked of the hub."""
    return model.name.startswith("/") or _mounted_path(model) is not None


def volumes(model: Model, own_claim: str) -> list[dict[str, Any]]:
    """The volume for downloads, and the one that holds the model where a source names one.

    `own_claim` is the name of the claim that the operator makes where the spec gives a size for one.
    """
    claim = None if model.cache is None else model.cache.existing_claim or own_claim
    cache = {"emptyDir": {}} if claim is None else {"persistentVolumeClaim": {"claimName": claim}}
    result: list[dict[str, Any]] = [{"name": "cache", **cache}]
    if model.source is not None and model.source.pvc is not None:
        claim_source = {"claimName": model.source.pvc.claim_name, "readOnly": True}
        result.append({"name": "model", "persistentVolumeClaim": claim_source})
    if model.source is not None and model.source.image is not None:
        image_source = {"reference": model.source.image.reference, "pullPolicy": "IfNotPresent"}
        result.append({"name": "model", "image": image_source})
    return result


def mounts(model: Model) -> list[dict[str, Any]]:
    """The container's mounts of these volumes."""
    result: list[dict[str, Any]] = [{"name": "cache", "mountPath": CACHE_MOUNT}]
    if _mounted_path(model) is not None:
        result.append({"name": "model", "mountPath": MODEL_MOUNT, "readOnly": True})
    return result


def environment(model: Model) -> list[dict[str, Any]]:
    """The variables of the hub's client."""
    result: list[dict[str, Any]] = [{"name": "HF_HOME", "value": f"{CACHE_MOUNT}/hub"}]
    if is_local(model):
        result.append({"name": "HF_HUB_OFFLINE", "value": "1"})
    if model.source is not None and model.source.hub is not None:
        reference = model.source.hub.token_secret_ref
        key = {"name": reference.name, "key": reference.key}
        result.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": key}})
    return result


def _mounted_path(model: Model) -> str | None:
    """The checkpoint's folder below the mount, or None when the model isn't mounted."""
    if model.source is None:
        return None
    mounted = model.source.pvc or model.source.image
    return mounted.path if mounted is not None else None
