"""The results file: what was measured, of what, under which conditions.

The raw times are kept, so that every figure can be computed again and compared by better statistics later. The format
is versioned: a field's meaning never changes under the same `schema_version`; fields may be added.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reranker_bench import __version__, stats
from reranker_bench.load import LossReason, Sample

SUMMARY_BYTES = 4096
"""The kubelet keeps no more of a container's termination message."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Loss(_Model):
    """A request without a time."""

    repeat: int
    """Counted from 1 among the requests of this size."""
    reason: LossReason
    detail: str
    status: int | None


class Cell(_Model):
    """All timed requests of one size. The figures are None where no sample is left to compute them from."""

    documents: int
    values_ms: tuple[float, ...]
    """Wall times in the order in which they were measured, milliseconds."""
    mean_ms: float | None
    stdev_ms: float | None
    """Of the sample (n - 1); None below two values."""
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    truncated: int
    """Documents that the server said it cut, over all the requests."""
    lost: tuple[Loss, ...]

    @classmethod
    def of(cls, documents: int, samples: Iterable[Sample]) -> Cell:
        """Put the samples of one size together."""
        samples = tuple(samples)
        values = tuple(round(sample.ms, 4) for sample in samples if sample.ms is not None)
        return cls(
            documents=documents,
            values_ms=values,
            mean_ms=round(stats.mean(values), 4) if values else None,
            stdev_ms=None if (deviation := stats.stdev(values)) is None else round(deviation, 4),
            p50_ms=_percentile(values, 50),
            p95_ms=_percentile(values, 95),
            p99_ms=_percentile(values, 99),
            truncated=sum(sample.truncated for sample in samples),
            lost=losses(samples),
        )


class WarmUp(_Model):
    """The requests before the timed ones; they have no times, but a lost one means that the method was not kept."""

    requests: int
    documents: int
    lost: tuple[Loss, ...]


class TitlesUsed(_Model):
    """Where the documents came from."""

    source: str
    count: int
    sha256: str
    reused: int
    """Titles sent since all of them had been sent once; with 0 no title came twice."""


class Parameters(_Model):
    """What the run was told; the same parameters against the same server send the same requests."""

    url: str
    documents: tuple[int, ...]
    repeat: int
    seed: int
    timeout_s: float
    query: str
    warmup_requests: int
    warmup_documents: int


class ClientInfo(_Model):
    """The machine that measured."""

    host: str
    platform: str
    python: str
    cpus: int

    @classmethod
    def here(cls) -> ClientInfo:
        """Describe this machine."""
        return cls(
            host=platform.node(),
            platform=platform.platform(),
            python=platform.python_version(),
            cpus=os.cpu_count() or 1,
        )


class Environment(_Model):
    """What was measured and from where."""

    bench_version: str = __version__
    health: dict[str, Any]
    """The server's own `/health` before the first request, as it stood."""
    client: ClientInfo


class Results(_Model):
    """One run of one server."""

    schema_version: Literal[1] = 1
    kind: Literal["reranker-bench/run"] = "reranker-bench/run"
    tag: str
    started_at: Annotated[datetime, Field(description="UTC")]
    finished_at: Annotated[datetime, Field(description="UTC")]
    interrupted: bool
    """Ended before all samples were taken; what is there was measured in full."""
    parameters: Parameters
    titles: TitlesUsed
    environment: Environment
    warmup: WarmUp
    cells: tuple[Cell, ...]

    @property
    def backend(self) -> str:
        """What the server calls its backend; `unknown` where it doesn't say."""
        return str(self.environment.health.get("backend") or "unknown")

    @property
    def instruction_format(self) -> str:
        """What the server calls its instruction format; `unknown` where it doesn't say."""
        return str(self.environment.health.get("instruction_format") or "unknown")

    @property
    def lost(self) -> int:
        """Requests without an answer that counts, warm-ups included."""
        return len(self.warmup.lost) + sum(len(cell.lost) for cell in self.cells)

    def write(self, path: Path) -> None:
        """Write the file whole or not at all: a reader never sees half of one."""
        part = path.with_name(f".{path.name}.part")
        part.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        part.replace(path)


def now() -> datetime:
    """This moment, UTC, whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def losses(samples: Iterable[Sample]) -> tuple[Loss, ...]:
    """The lost ones among the samples."""
    return tuple(
        Loss(repeat=sample.repeat, reason=sample.reason, detail=sample.detail, status=sample.status)
        for sample in samples
        if sample.reason is not None
    )


def termination_summary(results: Results, limit: int = SUMMARY_BYTES) -> str:
    """One line of JSON with the figures, at most `limit` bytes: what a Job can hand over without any API right.

    Cells that don't fit are left out from the end and counted in `cells_left_out`.
    """
    health = results.environment.health
    summary: dict[str, Any] = {
        "schema_version": results.schema_version,
        "tag": _short(results.tag),
        "backend": _short(results.backend),
        "instruction_format": _short(results.instruction_format),
        "model": _short(_model_name(health.get("model"))),
        "seed": results.parameters.seed,
        "repeat": results.parameters.repeat,
        "lost": results.lost,
        "interrupted": results.interrupted,
        "finished_at": results.finished_at.isoformat(),
    }
    cells = [_summary_cell(cell) for cell in results.cells]
    return _fit(summary, cells, limit)


def _fit(summary: dict[str, Any], cells: Sequence[dict[str, Any]], limit: int) -> str:
    for kept in range(len(cells), -1, -1):
        left_out = {"cells_left_out": len(cells) - kept} if kept < len(cells) else {}
        line = json.dumps(summary | {"cells": cells[:kept]} | left_out, separators=(",", ":"), ensure_ascii=False)
        if len(line.encode()) <= limit:
            return line
    raise ValueError(f"the summary's head alone is over {limit} bytes")


def _summary_cell(cell: Cell) -> dict[str, Any]:
    figures = {"mean": cell.mean_ms, "stdev": cell.stdev_ms, "p50": cell.p50_ms, "p95": cell.p95_ms, "p99": cell.p99_ms}
    rounded = {name: None if value is None else round(value, 2) for name, value in figures.items()}
    return {"n": cell.documents, "samples": len(cell.values_ms), "lost": len(cell.lost)} | rounded


def _model_name(model: object) -> str:
    """`/health` may give the model as a name or as an object with one."""
    if isinstance(model, dict):
        model = model.get("name") or model.get("id")
    return str(model) if model else "unknown"


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(stats.percentile(values, percent), 4) if values else None
