"""Sends one rerank request and says what came of it.

A sample is either a time or a loss with its reason; there is no third case and no second try. An answer counts only
when it ranks every document once with a finite score: a server that answers quickly with nonsense must not look fast.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import httpx

DETAIL_CHARACTERS = 300
"""Of a server's error text no more is kept for each lost sample."""


class LossReason(StrEnum):
    """Why a sample has no time; a closed list, since results files are compared by it."""

    TRANSPORT = "transport"
    """No connection, or it broke before the answer was whole."""
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


@dataclass(frozen=True)
class Sample:
    """What one request came to: `ms` when it was answered well, `reason` and `detail` when it is lost."""

    documents: int
    repeat: int
    ms: float | None = None
    """Wall time in milliseconds, from sending to the answer's last byte."""
    reason: LossReason | None = None
    detail: str = ""
    status: int | None = None
    """The HTTP status, where there was an answer."""
    truncated: int = 0
    """Documents that the server says it cut; they cost less than whole ones."""


class BadAnswerError(Exception):
    """An answer that doesn't rank what was asked."""

    def __init__(self, reason: LossReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class RerankClient:
    """An HTTP client for one server. Use it as a context manager; it is safe to share between threads."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url.rstrip("/") + "/rerank"
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            timeout=timeout_s,
            # A proxy from the environment would be measured along with the server.
            trust_env=False,
            # Servers close idle connections after some seconds (uvicorn: 5). Giving one up well before makes sure that
            # no request is sent on a connection that is being closed, which would be a lost sample of our own making.
            limits=httpx.Limits(keepalive_expiry=1.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def rerank(self, query: str, documents: Sequence[str], *, repeat: int) -> Sample:
        """Send one request and time it; encoding the request and checking the answer are not in the time."""
        body = json.dumps({"query": query, "documents": list(documents)}, ensure_ascii=False).encode()
        started = time.perf_counter()
        try:
            status, answer = self._post(body, deadline=started + self._timeout_s)
        except (httpx.TimeoutException, TimeoutError) as error:
            detail = f"no whole answer within {self._timeout_s:g} s ({type(error).__name__})"
            return _lost(documents, repeat, LossReason.TIMEOUT, detail)
        except httpx.HTTPError as error:
            detail = f"{type(error).__name__}: {error}"
            return _lost(documents, repeat, LossReason.TRANSPORT, detail)
        ms = (time.perf_counter() - started) * 1000
        if status != 200:
            detail = answer.decode("utf-8", "replace").strip()
            return _lost(documents, repeat, LossReason.STATUS, f"status {status}: {detail}", status)
        try:
            truncated = check_answer(answer, len(documents))
        except BadAnswerError as error:
            return _lost(documents, repeat, error.reason, str(error), status)
        return Sample(len(documents), repeat, ms=ms, status=status, truncated=truncated)

    def _post(self, body: bytes, *, deadline: float) -> tuple[int, bytes]:
        # httpx bounds each read, not their sum: a server that sends a byte now and then would hold the run for ever.
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        with self._http.stream("POST", self._url, content=body, headers=headers) as response:
            chunks = []
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                if time.perf_counter() > deadline:
                    raise TimeoutError
            return response.status_code, b"".join(chunks)


def check_answer(answer: bytes, documents: int) -> int:
    """Check that the answer ranks each of `documents` documents once; returns how many of them the server cut.

    Raises:
        BadAnswerError: with the reason that the sample is lost for.
    """
    results = _results(answer)
    if len(results) != documents:
        raise BadAnswerError(LossReason.WRONG_COUNT, f"{len(results)} results for {documents} documents")
    seen: set[int] = set()
    truncated = 0
    for place, result in enumerate(results):
        if not isinstance(result, dict):
            raise BadAnswerError(LossReason.BAD_JSON, f"result {place} is not an object")
        index = result.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < documents:
            raise BadAnswerError(LossReason.BAD_INDEX, f"result {place} has the index {index!r}")
        if index in seen:
            raise BadAnswerError(LossReason.BAD_INDEX, f"index {index} is there twice")
        seen.add(index)
        score = result.get("relevance_score")
        if not _is_finite(score):
            raise BadAnswerError(LossReason.BAD_SCORE, f"document {index} has the score {score!r}")
        truncated += result.get("truncated") is True
    return truncated


def _is_finite(score: object) -> bool:
    # An integer of any size is finite, and one beyond a float's range can't be asked.
    return type(score) is int or (isinstance(score, float) and math.isfinite(score))


def _results(answer: bytes) -> list[Any]:
    try:
        body = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(LossReason.BAD_JSON, f"the body is not JSON: {error}") from error
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list):
        raise BadAnswerError(LossReason.BAD_JSON, "the body has no list of results")
    return results


def _lost(documents: Sequence[str], repeat: int, reason: LossReason, detail: str, status: int | None = None) -> Sample:
    # One printable line: it ends up in tables and on terminals, and it is the server's text.
    detail = " ".join("".join(c if c.isprintable() else " " for c in detail).split())
    shown = detail if len(detail) <= DETAIL_CHARACTERS else detail[: DETAIL_CHARACTERS - 1] + "…"
    return Sample(len(documents), repeat, reason=reason, detail=shown, status=status)
