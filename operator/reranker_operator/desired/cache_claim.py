"""The PersistentVolumeClaim for downloaded weights, where the spec gives a size for one."""

from typing import Any

from reranker_operator.desired.target import Target
from reranker_operator.names import cache_claim_name


def cache_claim(target: Target) -> dict[str, Any] | None:
    """The PersistentVolumeClaim; None where the spec names one or wants none."""
    cache = target.spec.model.cache
    if cache is None or cache.size is None:
        return None
    storage_class = {} if cache.storage_class_name is None else {"storageClassName": cache.storage_class_name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": target.metadata(cache_claim_name(target.name)),
        "spec": {
            "accessModes": [cache.access_mode or "ReadWriteOnce"],
            "resources": {"requests": {"storage": cache.size}},
            **storage_class,
        },
    }
