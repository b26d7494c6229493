"""Which profile a spec's GPU means, and whether the card can do what the spec asks for."""

from collections.abc import Mapping

from reranker_operator.api.deployment import DType, RerankerDeploymentSpec
from reranker_operator.settings import GpuProfile

CPU = "cpu"
FIRST_WITH_BFLOAT16 = (8, 0)


class ProfileNotFoundError(Exception):
    """No profile has the name of `spec.gpu.type`."""


class DTypeUnsupportedError(Exception):
    """The card can't compute in the data type that the spec asks for."""


def profile_of(spec: RerankerDeploymentSpec, profiles: Mapping[str, GpuProfile]) -> GpuProfile:
    """The profile of the spec's GPU, or that of CPUs.

    Raises:
        ProfileNotFoundError: with the names that there are.
        DTypeUnsupportedError: naming card and data type.
    """
    if spec.gpu is None:
        return profiles.get(CPU, GpuProfile(dtype="float32"))
    profile = profiles.get(spec.gpu.type)
    if profile is None:
        names = ", ".join(sorted(profiles)) or "none"
        raise ProfileNotFoundError(f"gpu.type {spec.gpu.type!r} is no GPU profile of this operator; it has: {names}")
    if dtype_of(spec, profile) == "bfloat16" and not _has_bfloat16(profile):
        raise DTypeUnsupportedError(
            f"bfloat16 needs compute capability 8.0; gpu.type {spec.gpu.type!r} has {profile.compute_capability}: "
            "use float16 or float32"
        )
    return profile


def dtype_of(spec: RerankerDeploymentSpec, profile: GpuProfile) -> DType:
    """The data type to compute in: the spec's, else the profile's."""
    return spec.engine.dtype or profile.dtype


def _has_bfloat16(profile: GpuProfile) -> bool:
    """Whether the card computes in bfloat16; one whose capability isn't stated is trusted with it."""
    if profile.compute_capability is None:
        return True
    major, minor = profile.compute_capability.split(".")
    return (int(major), int(minor)) >= FIRST_WITH_BFLOAT16
