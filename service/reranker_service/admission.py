"""How much work may be waiting: a request is accepted with all its documents, or not at all.

The limit counts documents that were accepted and are not scored yet, wherever they are (being tokenised, waiting, or in
the engine). Counting them when a request comes in, before any work is done for it, keeps a burst from costing memory
and tokenising time that the answer 429 would then throw away.
"""

import math
from collections.abc import Callable
from types import TracebackType
from typing import Self

from reranker_service.errors import QueueFull

LONGEST_RETRY_S = 30
SMOOTHING = 0.2


class Admission:
    """The count of accepted documents. Event loop only.

    Args:
        limit: most documents accepted and not yet scored.
        on_change: called with the new count.
    """

    def __init__(self, limit: int, on_change: Callable[[int], None]) -> None:
        self._limit = limit
        self._on_change = on_change
        self._documents_per_s = 0.0
        self.queued = 0

    def admit(self, documents: int) -> "Reservation":
        """Accept `documents` more.

        Raises:
            QueueFull: they don't fit, with an estimate of when they will.
        """
        if self.queued + documents > self._limit:
            raise QueueFull(
                documents=documents, queued=self.queued, limit=self._limit, retry_after_s=self._retry_after(documents)
            )
        self._change(documents)
        return Reservation(self, documents)

    def observe_speed(self, documents: int, seconds: float) -> None:
        """Take one engine call into the running mean of the speed."""
        speed = documents / max(seconds, 1e-6)
        self._documents_per_s += (speed - self._documents_per_s) * (SMOOTHING if self._documents_per_s else 1.0)

    def _retry_after(self, documents: int) -> int:
        if not self._documents_per_s:
            return 1
        excess = self.queued + documents - self._limit
        return min(LONGEST_RETRY_S, max(1, math.ceil(excess / self._documents_per_s)))

    def _change(self, by: int) -> None:
        self.queued += by
        self._on_change(self.queued)

    def _release(self, documents: int) -> None:
        self._change(-documents)


class Reservation:
    """The room one request holds; leaving its `with` block gives back whatever is left of it."""

    def __init__(self, admission: Admission, documents: int) -> None:
        self._admission = admission
        self._left = documents

    def release(self, documents: int) -> None:
        """Give back the room of documents that have been scored."""
        documents = min(documents, self._left)
        self._left -= documents
        self._admission._release(documents)  # noqa: SLF001 - the two are one

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release(self._left)
