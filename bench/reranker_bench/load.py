"""Sends one request and says what came of it.

A sample is either a time or a loss with its reason; there is no third case and no second try.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from reranker_bench.answers import BadAnswerError, LossReason, check_answer
from reranker_bench.connection import ConnectError, Connection, ProtocolError, ResetError, TruncatedError
from reranker_bench.dialects import DIALECTS, Dialect

DETAIL_CHARACTERS = 300
"""Of a server's error text no more is kept for each lost sample."""
_BROKEN = {
    ConnectError: LossReason.CONNECT,
    ResetError: LossReason.RESET,
    TruncatedError: LossReason.TRUNCATED,
    ProtocolError: LossReason.TRANSPORT,
}


@dataclass(frozen=True)
class Sample:
    """What one request came to: `ms` when it was answered well, `reason` and `detail` when it is lost."""

    documents: int
    repeat: int
    ms: float | None = None
    """Wall time in milliseconds, from sending (open loop: from the intended start) to the answer's last byte."""
    reason: LossReason | None = None
    detail: str = ""
    status: int | None = None
    """The HTTP status, where there was an answer."""
    truncated: int = 0
    """Documents that the server says it cut; they cost less than whole ones."""
    delay_ms: float = 0.0
    """How long after its intended start the request was sent (open loop); it is part of `ms`."""


@dataclass(frozen=True)
class Target:
    """The server, and how to talk to it."""

    url: str
    timeout_s: float = 360.0
    """Of one request, in seconds."""
    dialect: Dialect = DIALECTS["rerank"]
    model: str | None = None
    """Sent where the dialect has a place for it."""
    headers: Mapping[str, str] = field(default_factory=dict)


class RerankClient:
    """A connection to the target that is kept alive. For one thread, but for `abort`; use it as a context manager."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection = Connection(target.url, dict(target.headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def abort(self) -> None:
        """Break the request under way, from another thread."""
        self._connection.abort()

    def encode(self, query: str, documents: Sequence[str]) -> bytes:
        """The request's body."""
        return self._target.dialect.body(query, documents, self._target.model)

    def send(self, body: bytes, documents: int, *, repeat: int, due: float | None = None) -> Sample:
        """Send a body and time it; checking the answer is not in the time.

        Args:
            body: of `documents` documents, from `encode`.
            documents: how many scores there must be.
            repeat: counted from 1 among the requests of this size; it only names the sample.
            due: when the request was to be sent (`time.perf_counter`); the time counts from there.
        """
        dialect = self._target.dialect
        sent = time.perf_counter()
        started = sent if due is None else due
        delay_ms = (sent - started) * 1000
        try:
            status, answer = self._connection.request(dialect.path, body, timeout_s=self._target.timeout_s)
        except TimeoutError:
            detail = f"no whole answer within {self._target.timeout_s:g} s"
            return _lost(documents, repeat, LossReason.TIMEOUT, detail)
        except tuple(_BROKEN) as error:
            return _lost(documents, repeat, _BROKEN[type(error)], str(error))
        ms = (time.perf_counter() - started) * 1000
        if status != 200:
            detail = answer.decode("utf-8", "replace").strip()
            return _lost(documents, repeat, LossReason.STATUS, f"status {status}: {detail}", status)
        try:
            truncated = check_answer(answer, documents, dialect)
        except BadAnswerError as error:
            return _lost(documents, repeat, error.reason, str(error), status)
        return Sample(documents, repeat, ms=ms, status=status, truncated=truncated, delay_ms=delay_ms)


def printable(text: str) -> str:
    """One printable line of it: a server's text ends up in tables and on terminals."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= DETAIL_CHARACTERS else line[: DETAIL_CHARACTERS - 1] + "…"


def _lost(documents: int, repeat: int, reason: LossReason, detail: str, status: int | None = None) -> Sample:
    return Sample(documents, repeat, reason=reason, detail=printable(detail), status=status)
