"""Results as a run leaves them, made of figures that a test names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from hack.ports import free_port
from reranker_bench.environment import ClientInfo, Environment, ServerInfo
from reranker_bench.load import Sample
from reranker_bench.results import Cell, Parameters, Results, TitlesUsed, WarmUp
from reranker_bench.server_counters import Counters

MOMENT = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)


def _make_run(
    values: Mapping[int, Sequence[float | Sample]],
    *,
    backend: str = "qwen3_vllm",
    instruction_format: str = "compact",
    tag: str = "",
    health: dict[str, Any] | None = None,
    interrupted: bool = False,
    gpu: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    counters: Counters | None = None,
) -> Results:
    if health is None:
        health = {
            "backend": backend,
            "instruction_format": instruction_format,
            "model": "tiny",
            "max_model_len": 160,
        }
    cells = tuple(
        Cell.of(n, [v if isinstance(v, Sample) else Sample(n, r, ms=v) for r, v in enumerate(samples, 1)])
        for n, samples in values.items()
    )
    given = {
        "url": "http://127.0.0.1:8000",
        "dialect": "rerank",
        "documents": tuple(values),
        "repeat": 2,
        "concurrency": 1,
        "rate": None,
        "arrivals": None,
        "duration_s": None,
        "seed": 99,
        "timeout_s": 360,
        "query": "健身女生T恤短袖",
        "warmup_requests": 3,
        "warmup_documents": 400,
    }
    client = ClientInfo(host="here", platform="Linux", python="3.11", cpus=2, cpu_model="a processor")
    return Results(
        tag=tag,
        started_at=MOMENT,
        finished_at=MOMENT,
        interrupted=interrupted,
        parameters=Parameters(**given | dict(parameters or {})),
        titles=TitlesUsed(source="built-in:18000:1", count=18000, sha256="0" * 64, reused=0),
        environment=Environment(health=health, server=ServerInfo.of(health, gpu=gpu), client=client),
        counters=counters or Counters(),
        warmup=WarmUp(requests=3, documents=400, lost=()),
        cells=cells,
    )


@pytest.fixture
def make_run() -> Callable[..., Results]:
    return _make_run


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """A port that nothing listens on."""
    return free_port()
