"""Which profile a spec's GPU means, and whether the card can do what the spec asks for: a fit check before scheduling.

Only what is certain is refused: a data type that the card lacks, weights larger than its physical memory. Everything
else is left to the engine, which knows what else needs memory.
"""

import re
from collections.abc import Mapping

from reranker_operator.api.deployment import DType, RerankerDeploymentSpec
from reranker_operator.settings import GpuProfile

CPU = "cpu"
FIRST_WITH_BFLOAT16 = (8, 0)
FIRST_WITH_FP8 = (8, 9)
GIB = 2**30

_KNOWN_MODEL = re.compile(r"(?:^|/)Qwen3-Reranker-(0\.6B|4B|8B)(?:-seq-cls)?$", re.IGNORECASE)
_PARAMETERS = {"0.6B": 596_000_000, "4B": 4_020_000_000, "8B": 7_570_000_000}
"""Parameters that every backend holds. The largest has an output head besides, of which some keep two rows only."""
_BYTES: dict[DType, int] = {"auto": 2, "float16": 2, "bfloat16": 2, "float32": 4}
"""Bytes of a weight. On a GPU, auto means the checkpoint's own type: bfloat16 for the known models."""
_QUANTIZED_BYTES = 1
"""At least: embeddings and one layer keep their type."""


class ProfileNotFoundError(Exception):
    """No profile has the name of `spec.gpu.type`."""


class DTypeUnsupportedError(Exception):
    """The card can't compute in the data type that the spec asks for."""


class DoesNotFitError(Exception):
    """The weights alone are larger than the cards' memory."""


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
    if spec.engine.quantization is not None and not _reaches(profile, FIRST_WITH_FP8):
        raise DTypeUnsupportedError(
            f"engine.quantization {spec.engine.quantization} needs compute capability 8.9; gpu.type {spec.gpu.type!r} "
            f"has {profile.compute_capability}: leave it out, or use another GPU"
        )
    dtype = dtype_of(spec, profile)
    if dtype == "bfloat16" and not _reaches(profile, FIRST_WITH_BFLOAT16):
        raise DTypeUnsupportedError(
            f"bfloat16 needs compute capability 8.0; gpu.type {spec.gpu.type!r} has {profile.compute_capability}: "
            "use float16 or float32"
        )
    if spec.engine.quantization is not None and dtype not in {"auto", "bfloat16"}:
        raise DTypeUnsupportedError(
            f"engine.quantization {spec.engine.quantization} computes the rest in bfloat16, but the dtype of gpu.type "
            f"{spec.gpu.type!r} is {dtype}: set engine.dtype to bfloat16"
        )
    return profile


def dtype_of(spec: RerankerDeploymentSpec, profile: GpuProfile) -> DType:
    """The data type to compute in: the spec's, else the profile's."""
    return spec.engine.dtype or profile.dtype


def check_fit(spec: RerankerDeploymentSpec, profile: GpuProfile) -> str | None:
    """None where the weights fit the card, else why that can't be told. On CPUs there is nothing to tell.

    Raises:
        DoesNotFitError: with both sizes and what would help.
    """
    if profile.resource is None or spec.gpu is None:
        return None
    if profile.memory_gib is None:
        return f"the profile {spec.gpu.type!r} does not say how much memory the card has"
    parameters = _parameters(spec)
    if parameters is None:
        return f"the size of the model {spec.model.name!r} is not known"
    dtype = dtype_of(spec, profile)
    kind, each = (spec.engine.quantization, _QUANTIZED_BYTES) if spec.engine.quantization else (dtype, _BYTES[dtype])
    shards = spec.engine.tensor_parallel_size
    needed = parameters * each / shards / GIB
    if needed > profile.memory_gib:
        whole = "" if shards == 1 else f" on each of {shards} GPUs"
        raise DoesNotFitError(
            f"the weights of {spec.model.name} take {needed:.1f} GiB in {kind}{whole}; gpu.type {spec.gpu.type!r} has "
            f"{profile.memory_gib:g} GiB: use a larger GPU, a smaller model, float16, or a larger "
            "engine.tensorParallelSize"
        )
    return None


def _parameters(spec: RerankerDeploymentSpec) -> int | None:
    """How many parameters the model has, of those that are known by name."""
    if "quantization" in (spec.engine.extra_args or {}):
        return None
    known = _KNOWN_MODEL.search(spec.model.name)
    return None if known is None else _PARAMETERS[known[1].upper()]


def _reaches(profile: GpuProfile, capability: tuple[int, int]) -> bool:
    """Whether the card has this compute capability; one whose capability isn't stated is trusted with it."""
    if profile.compute_capability is None:
        return True
    major, minor = profile.compute_capability.split(".")
    return (int(major), int(minor)) >= capability
