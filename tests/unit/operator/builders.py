"""Objects for the unit tests."""

from typing import Any

from reranker_operator.api.deployment import RerankerDeploymentSpec
from reranker_operator.desired import Target
from reranker_operator.gpu import profile_of
from reranker_operator.settings import Settings, parse

CONFIG: dict[str, Any] = {
    "images": {"gpu": "service:gpu", "cpu": "service:cpu"},
    "gpuProfiles": {
        "cpu": {"dtype": "float32"},
        "t4": {
            "resource": "nvidia.com/gpu",
            "memoryGiB": 16,
            "computeCapability": "7.5",
            "dtype": "float16",
            "nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "runtimeClassName": "nvidia",
        },
        "h100": {"resource": "nvidia.com/gpu", "computeCapability": "9.0", "image": "service:h100"},
    },
}
LOCAL_MODEL = {"name": "/models/tiny-reranker"}


def make_settings(**fields: Any) -> Settings:
    """The operator's configuration with these fields on top."""
    return parse({**CONFIG, **fields}, "test")


def make_spec(**fields: Any) -> RerankerDeploymentSpec:
    """A spec with these fields on top of the smallest one."""
    return RerankerDeploymentSpec.model_validate({"model": LOCAL_MODEL, **fields})


def make_target(settings: Settings | None = None, **fields: Any) -> Target:
    """What the builders take."""
    settings = settings or make_settings()
    spec = make_spec(**fields)
    profile = profile_of(spec, settings.gpu_profiles)
    return Target(name="products", namespace="shop", uid="u1", spec=spec, profile=profile, settings=settings)
