"""Which answers count: only those that score every document once with a finite number.

A server that answers quickly with nonsense must not look fast.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Any

from reranker_bench.dialects import DIALECTS, Dialect


class LossReason(StrEnum):
    """Why a sample has no time; a closed list, since results files are compared by it."""

    CONNECT = "connect"
    """No connection could be made."""
    RESET = "reset"
    """The connection broke, or was closed without an answer."""
    TRUNCATED = "truncated"
    """The answer ended before it was whole."""
    TRANSPORT = "transport"
    """Not HTTP; in results files of version 1 also what is now told apart as connect, reset and truncated."""
    TIMEOUT = "timeout"
    STATUS = "status"
    """Answered with another status than 200."""
    BAD_JSON = "bad_json"
    """The body isn't JSON, or not an object with a list of results."""
    WRONG_COUNT = "wrong_count"
    """Not one result a document."""
    BAD_INDEX = "bad_index"
    """A result's index is missing, out of range or there twice."""
    BAD_SCORE = "bad_score"
    """A score is missing, not a number, or not finite."""


class BadAnswerError(Exception):
    """An answer that doesn't rank what was asked."""

    def __init__(self, reason: LossReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def check_answer(answer: bytes, documents: int, dialect: Dialect = DIALECTS["rerank"]) -> int:
    """Check that the answer scores each of `documents` documents once; returns how many of them the server cut.

    Raises:
        BadAnswerError: with the reason that the sample is lost for.
    """
    results = _results(answer, dialect)
    if len(results) != documents:
        raise BadAnswerError(LossReason.WRONG_COUNT, f"{len(results)} results for {documents} documents")
    score_key = dialect.score_key
    seen: set[int] = set()
    truncated = 0
    for place, result in enumerate(results):
        if type(result) is not dict:
            raise BadAnswerError(LossReason.BAD_JSON, f"result {place} is not an object")
        index = result.get("index")
        if type(index) is not int or not 0 <= index < documents:
            raise BadAnswerError(LossReason.BAD_INDEX, f"result {place} has the index {index!r}")
        if index in seen:
            raise BadAnswerError(LossReason.BAD_INDEX, f"index {index} is there twice")
        seen.add(index)
        score = result.get(score_key)
        # An integer of any size is finite, and one beyond a float's range can't be asked.
        if type(score) is not int and not (type(score) is float and math.isfinite(score)):
            raise BadAnswerError(LossReason.BAD_SCORE, f"document {index} has the score {score!r}")
        truncated += result.get("truncated") is True
    return truncated


def scores(answer: bytes, documents: int, dialect: Dialect) -> list[float]:
    """The score of each document, in the order in which they were sent.

    Raises:
        BadAnswerError: as `check_answer`.
    """
    check_answer(answer, documents, dialect)
    ordered = sorted(_results(answer, dialect), key=lambda result: int(result["index"]))
    return [float(result[dialect.score_key]) for result in ordered]


def _results(answer: bytes, dialect: Dialect) -> list[Any]:
    try:
        body = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(LossReason.BAD_JSON, f"the body is not JSON: {error}") from error
    results = dialect.results(body)
    if not isinstance(results, list):
        raise BadAnswerError(LossReason.BAD_JSON, "the body has no list of results")
    return results
