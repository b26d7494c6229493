"""The results file: what was measured, of what, under which conditions.

The raw times are kept, so that every figure can be computed again and compared by better statistics later. The format
is versioned: within one `schema_version` a field never changes its meaning. `reading` reads files of every version;
docs/results/schema/ describes each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reranker_bench import stats
from reranker_bench.answers import LossReason
from reranker_bench.environment import UNKNOWN, Environment
from reranker_bench.files import replace_text
from reranker_bench.load import Sample
from reranker_bench.server_counters import Counters

SUMMARY_VERSION = 1
"""Of the one-line summary; it has a form of its own, and so a version."""
SUMMARY_BYTES = 4096
"""The kubelet keeps no more of a container's termination message."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


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
    """Wall times in the order of the requests, milliseconds."""
    mean_ms: float | None
    stdev_ms: float | None
    """Of the sample (n - 1); None below two values."""
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    wall_s: float | None
    """From the first request's start to the last one's end, what the client did between them included."""
    requests_per_s: float | None
    """Answers that count, per second of `wall_s`."""
    documents_per_s: float | None
    start_delay_max_ms: float | None
    """Open loop: the longest that a request was sent after it was due; None in a closed loop."""
    truncated: int
    """Documents that the server said it cut, over all the requests."""
    lost: tuple[Loss, ...]

    @classmethod
    def of(
        cls, documents: int, samples: Iterable[Sample], *, wall_s: float | None = None, open_loop: bool = False
    ) -> Cell:
        """Put the samples of one size together."""
        samples = tuple(samples)
        values = tuple(round(sample.ms, 4) for sample in samples if sample.ms is not None)
        rate = len(values) / wall_s if wall_s else None
        return cls(
            documents=documents,
            values_ms=values,
            mean_ms=round(stats.mean(values), 4) if values else None,
            stdev_ms=_rounded(stats.stdev(values)),
            p50_ms=_percentile(values, 50),
            p95_ms=_percentile(values, 95),
            p99_ms=_percentile(values, 99),
            wall_s=_rounded(wall_s),
            requests_per_s=_rounded(rate),
            documents_per_s=_rounded(rate and rate * documents),
            start_delay_max_ms=_rounded(max(sample.delay_ms for sample in samples)) if open_loop and samples else None,
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
    dialect: str
    documents: tuple[int, ...]
    repeat: int
    """Requests a size; says nothing where `duration_s` is given."""
    concurrency: int
    """Most requests under way at once."""
    rate: float | None
    """Requests a second of the open loop; None: closed loop."""
    arrivals: Literal["poisson", "even"] | None
    duration_s: float | None
    seed: int
    timeout_s: float
    query: str
    warmup_requests: int
    warmup_documents: int


class Results(_Model):
    """One run of one server."""

    schema_version: Literal[2] = 2
    kind: Literal["reranker-bench/run"] = "reranker-bench/run"
    tag: str
    started_at: Annotated[datetime, Field(description="UTC")]
    finished_at: Annotated[datetime, Field(description="UTC")]
    interrupted: bool
    """Ended before all samples were taken; what is there was measured in full."""
    parameters: Parameters
    titles: TitlesUsed
    environment: Environment
    counters: Counters
    """How much the server's own counters grew during the timed requests."""
    warmup: WarmUp
    cells: tuple[Cell, ...]

    @property
    def backend(self) -> str:
        """What the server calls its backend; `unknown` where it doesn't say."""
        return self.environment.server.backend or UNKNOWN

    @property
    def instruction_format(self) -> str:
        """What the server calls its instruction format; `unknown` where it doesn't say."""
        return self.environment.server.instruction_format or UNKNOWN

    @property
    def lost(self) -> int:
        """Requests without an answer that counts, warm-ups included."""
        return len(self.warmup.lost) + sum(len(cell.lost) for cell in self.cells)

    @property
    def samples(self) -> int:
        """Timed requests with an answer that counts."""
        return sum(len(cell.values_ms) for cell in self.cells)

    def lost_by_reason(self) -> dict[str, int]:
        """How many were lost for each reason, the most frequent first."""
        every = [*self.warmup.lost, *(loss for cell in self.cells for loss in cell.lost)]
        return dict(Counter(loss.reason.value for loss in every).most_common())

    def write(self, path: Path) -> None:
        """Write the file whole or not at all: a reader never sees half of one."""
        replace_text(path, (self.model_dump_json(indent=2) + "\n").encode())


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
    summary: dict[str, Any] = {
        "schema_version": SUMMARY_VERSION,
        "tag": _short(results.tag),
        "backend": _short(results.backend),
        "instruction_format": _short(results.instruction_format),
        "model": _short(results.environment.server.model or UNKNOWN),
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


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(stats.percentile(values, percent), 4) if values else None
