"""Which answers count as a measurement: only those that rank every document once with a finite score."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reranker_bench.answers import BadAnswerError, LossReason, check_answer
from reranker_bench.health import missing_of


def body(*results: Any) -> bytes:
    return json.dumps({"results": results}).encode()


def result(index: Any, score: Any = 0.5, **more: Any) -> dict[str, Any]:
    return {"index": index, "relevance_score": score} | more


def test_an_answer_in_any_order_counts_and_tells_how_many_were_cut() -> None:
    answer = body(result(2, 0.9), result(0, 0, truncated=True), result(1, -1.5, truncated=False))
    assert check_answer(answer, 3) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html>", LossReason.BAD_JSON),
        (b'{"results": [', LossReason.BAD_JSON),
        (b"[" * 100_000, LossReason.BAD_JSON),
        (b"\xff", LossReason.BAD_JSON),
        (b"[]", LossReason.BAD_JSON),
        (b'{"results": {}}', LossReason.BAD_JSON),
        (b'{"scores": []}', LossReason.BAD_JSON),
        (body(0, 1), LossReason.BAD_JSON),
        (body(result(0)), LossReason.WRONG_COUNT),
        (body(result(0), result(1), result(2)), LossReason.WRONG_COUNT),
        (body(result(0), result(0)), LossReason.BAD_INDEX),
        (body(result(0), result(2)), LossReason.BAD_INDEX),
        (body(result(0), result(-1)), LossReason.BAD_INDEX),
        (body(result(0), result(True)), LossReason.BAD_INDEX),
        (body(result(0), {"relevance_score": 1.0}), LossReason.BAD_INDEX),
        (body(result(0), result(1, float("nan"))), LossReason.BAD_SCORE),
        (body(result(0), result(1, float("inf"))), LossReason.BAD_SCORE),
        (body(result(0), result(1, None)), LossReason.BAD_SCORE),
        (body(result(0), result(1, "0.5")), LossReason.BAD_SCORE),
        (body(result(0), result(1, True)), LossReason.BAD_SCORE),
    ],
)
def test_an_answer_that_does_not_rank_what_was_asked_is_lost_for_its_reason(answer: bytes, reason: LossReason) -> None:
    with pytest.raises(BadAnswerError) as refused:
        check_answer(answer, 2)
    assert refused.value.reason == reason


HEALTHY = {"status": "ok", "backend": "qwen3_vllm", "instruction_format": "compact"}


@pytest.mark.parametrize(
    ("health", "backend", "instruction_format", "missing"),
    [
        (HEALTHY, None, None, None),
        (HEALTHY, "qwen3_vllm", "compact", None),
        ({}, None, None, None),
        (HEALTHY | {"status": "loading"}, None, None, "loading"),
        (HEALTHY, "qwen3_vllm_score", "compact", "backend 'qwen3_vllm', wanted 'qwen3_vllm_score'"),
        (HEALTHY, "qwen3_vllm", "standard", "instruction_format 'compact', wanted 'standard'"),
        ({"status": "ok"}, "qwen3_vllm", None, "backend None"),
    ],
)
def test_a_server_is_measured_only_when_it_is_ready_and_the_wanted_one(
    health: dict[str, Any], backend: str | None, instruction_format: str | None, missing: str | None
) -> None:
    found = missing_of(health, backend=backend, instruction_format=instruction_format)
    assert (found is None) == (missing is None)
    assert missing is None or missing in str(found)
