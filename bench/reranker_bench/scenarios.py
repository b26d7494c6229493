"""The scenarios of a matrix: a backend with an instruction format, and what the service's YAML must say for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from reranker_bench.patching import PatchError, Scalar

BACKENDS = ("qwen3_vllm", "qwen3_vllm_score")
FORMATS = ("compact", "standard")


@dataclass(frozen=True)
class Scenario:
    """One way of scoring."""

    backend: str
    instruction_format: str

    @property
    def name(self) -> str:
        """For files and messages."""
        return f"{self.backend}-{self.instruction_format}"


def scenarios(backends: Sequence[str], formats: Sequence[str]) -> list[Scenario]:
    """All pairs, backend by backend."""
    return [Scenario(backend, instruction_format) for backend in backends for instruction_format in formats]


def scenario_values(config: str, backend: str | None, instruction_format: str | None) -> dict[str, Scalar]:
    """The values by dotted paths that make the service's YAML be this scenario; None leaves things as they are.

    Raises:
        PatchError: if the format is to be set and neither argument nor file names the backend.
    """
    values: dict[str, Scalar] = {} if backend is None else {"services.rerank.backend": backend}
    if instruction_format is not None:
        of = backend or _backend_in(config)
        values[f"services.rerank.backends.{of}.instruction_format"] = instruction_format
    return values


def _backend_in(config: str) -> str:
    try:
        return str(yaml.safe_load(config)["services"]["rerank"]["backend"])
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise PatchError("services.rerank.backend: is not there; give --backend too") from error
