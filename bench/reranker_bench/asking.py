"""Asks a reranker for scores, where the answer counts and not its time (`smoke`, `evaluate`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from reranker_bench.answers import BadAnswerError, scores
from reranker_bench.connection import Connection
from reranker_bench.load import Target, printable


class AskError(Exception):
    """No scores; the message says why, and `status` is the HTTP status where there was an answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(printable(message))
        self.status = status


@dataclass(frozen=True)
class Answer:
    """Scores in the documents' order, and how long they took."""

    scores: list[float]
    ms: float


class Asker:
    """A connection to one server. A context manager."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection = Connection(target.url, dict(target.headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, query: str, documents: Sequence[str]) -> Answer:
        """Score the documents in one request.

        Raises:
            AskError: if that fails in whatever way.
        """
        target = self._target
        body = target.dialect.body(query, documents, target.model)
        started = time.perf_counter()
        try:
            status, answer = self._connection.request(target.dialect.path, body, timeout_s=target.timeout_s)
        except TimeoutError as error:
            raise AskError(f"no whole answer within {target.timeout_s:g} s") from error
        except OSError as error:
            raise AskError(str(error)) from error
        ms = (time.perf_counter() - started) * 1000
        if status != 200:
            raise AskError(f"status {status}: {answer.decode('utf-8', 'replace')}", status)
        try:
            return Answer(scores(answer, len(documents), target.dialect), ms)
        except BadAnswerError as error:
            raise AskError(f"{error.reason.value}: {error}", status) from error
