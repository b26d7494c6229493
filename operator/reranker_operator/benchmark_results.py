"""The figures of a scenario, from the termination message of its Job's container; and which scenario is the best.

The message is one line of JSON that the bench image writes (`reranker-bench run --termination-log`). It comes from a
container, so nothing in it is taken on trust: what doesn't parse is a failed scenario, not a failed pass.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reranker_operator.api.benchmark_status import ScenarioStatus, SizeResult
from reranker_operator.api.status import BestScenario

MESSAGE_LIMIT = 600
"""How much of a message that is no summary is quoted, in characters."""

Milliseconds = float | None


class SummaryError(ValueError):
    """The message is no summary."""


class _Cell(BaseModel):
    model_config = ConfigDict(frozen=True)

    n: int
    samples: int = Field(ge=0)
    lost: int = Field(ge=0)
    mean: Milliseconds = None
    stdev: Milliseconds = None
    p50: Milliseconds = None
    p95: Milliseconds = None
    p99: Milliseconds = None


class _Message(BaseModel):
    """What the tool writes; a newer tool may add to it."""

    model_config = ConfigDict(frozen=True)

    error: str | None = None
    model: str | None = Field(default=None, max_length=1024)
    lost: int = Field(default=0, ge=0)
    interrupted: bool = False
    cells: list[_Cell] = []
    cells_left_out: int = 0


@dataclass(frozen=True)
class Summary:
    """What a Job says of its scenario."""

    error: str | None = None
    """Why nothing was measured; None where something was."""
    model: str | None = None
    samples: int = 0
    errors: int = 0
    interrupted: bool = False
    sizes_left_out: int = 0
    results: Sequence[SizeResult] = field(default_factory=tuple)


def read_summary(message: str) -> Summary:
    """Read a termination message.

    Raises:
        SummaryError: it is none; the text quotes it.
    """
    try:
        content = _Message.model_validate(json.loads(message))
    except (ValueError, ValidationError) as error:
        quoted = " ".join(message.split())[-MESSAGE_LIMIT:]
        raise SummaryError(f"it ended without a summary; it said: {quoted}" if quoted else "it said nothing") from error
    results = [_result(cell) for cell in content.cells[:20]]
    return Summary(
        error=content.error,
        model=content.model,
        samples=sum(result.samples for result in results),
        errors=content.lost,
        interrupted=content.interrupted,
        sizes_left_out=content.cells_left_out,
        results=results,
    )


def best_of(scenarios: Sequence[ScenarioStatus]) -> BestScenario | None:
    """The scenario with the lowest mean for the largest number of documents that all successful ones have."""
    figures = [(scenario, _means(scenario)) for scenario in scenarios if scenario.phase == "Succeeded"]
    figures = [(scenario, means) for scenario, means in figures if means]
    common = set.intersection(*(set(means) for _, means in figures)) if figures else set()
    if not common:
        return None
    documents = max(common)
    scenario, means = min(figures, key=lambda entry: entry[1][documents])
    name = f"{scenario.backend}/{scenario.instruction_format}"
    return BestScenario(
        backend=scenario.backend,
        instruction_format=scenario.instruction_format,
        documents=documents,
        mean_ms=means[documents],
        summary=f"{name} {means[documents]:.1f} ms (n={documents})",
    )


def _means(scenario: ScenarioStatus) -> dict[int, float]:
    return {result.documents: result.mean_ms for result in scenario.results or () if result.mean_ms is not None}


def _result(cell: _Cell) -> SizeResult:
    figures: dict[str, Any] = {f"{name}_ms": getattr(cell, name) for name in ("mean", "stdev", "p50", "p95", "p99")}
    return SizeResult(documents=cell.n, samples=cell.samples, errors=cell.lost, **figures)
