"""How much work may be waiting: a request is accepted with all its documents and tokens, or not at all.

The limits count what was accepted and is not scored yet, wherever it is (being tokenised, waiting, or in the engine).
Documents are counted when a request comes in, before any work is done for it, so that a burst does not cost memory and
tokenising time that the answer 429 would then throw away. Tokens, where they are limited, are counted as soon as they
are known, which is before the engine sees the first of them.
"""

import math
from collections.abc import Callable
from types import TracebackType
from typing import Self

from reranker_service.errors import InvalidRequest, QueueFull

LONGEST_RETRY_S = 30
SMOOTHING = 0.2


class Quota:
    """One limited quantity: how much of it is taken, and how fast it is worked off.

    Args:
        name: for errors.
        limit: the most that may be taken; None for no limit.
        on_change: called with each new amount.
    """

    def __init__(self, name: str, limit: int | None, on_change: Callable[[int], None] = lambda _: None) -> None:
        self.limit = limit
        self.taken = 0
        self._name = name
        self._on_change = on_change
        self._per_s = 0.0

    def take(self, amount: int) -> None:
        """Take `amount`.

        Raises:
            QueueFull: it doesn't fit, with an estimate of when it will.
        """
        if self.limit is not None and self.taken + amount > self.limit:
            raise QueueFull(
                what=self._name,
                wanted=amount,
                queued=self.taken,
                limit=self.limit,
                retry_after_s=self._retry_after(self.taken + amount - self.limit),
            )
        self._change(amount)

    def give_back(self, amount: int) -> None:
        """Make room again."""
        self._change(-amount)

    def observe(self, amount: int, seconds: float) -> None:
        """Take one engine call into the running mean of the speed."""
        speed = amount / max(seconds, 1e-6)
        self._per_s += (speed - self._per_s) * (SMOOTHING if self._per_s else 1.0)

    def _change(self, by: int) -> None:
        self.taken += by
        self._on_change(self.taken)

    def _retry_after(self, excess: int) -> int:
        if not self._per_s:
            return 1
        return min(LONGEST_RETRY_S, max(1, math.ceil(excess / self._per_s)))


class Admission:
    """The counts of accepted documents and tokens. Event loop only.

    Args:
        documents: the most documents.
        tokens: the most prompt tokens; None for no limit.
        on_change: called with each new number of documents.
    """

    def __init__(self, documents: int, tokens: int | None, on_change: Callable[[int], None]) -> None:
        self.documents = Quota("documents", documents, on_change)
        self.tokens = Quota("prompt tokens", tokens)

    def admit(self, documents: int) -> "Reservation":
        """Accept a request with so many documents.

        Raises:
            QueueFull: they don't fit.
        """
        self.documents.take(documents)
        return Reservation(self, documents)

    def observe_speed(self, documents: int, tokens: int, seconds: float) -> None:
        """Take one engine call into the running means of the speed."""
        self.documents.observe(documents, seconds)
        self.tokens.observe(tokens, seconds)


class Reservation:
    """The room one request holds; leaving its `with` block gives back whatever is left of it."""

    def __init__(self, admission: Admission, documents: int) -> None:
        self._admission = admission
        self._documents = documents
        self._tokens = 0

    def hold_tokens(self, tokens: int) -> None:
        """Take room for the tokens of the whole request, too.

        Raises:
            InvalidRequest: they would not fit into an empty queue either.
            QueueFull: they don't fit now.
        """
        limit = self._admission.tokens.limit
        if limit is not None and tokens > limit:
            raise InvalidRequest(
                f"the request has {tokens} prompt tokens, more than the {limit} that may be queued; "
                "send fewer or shorter documents",
                param=None,
                code="too_many_tokens",
            )
        self._admission.tokens.take(tokens)
        self._tokens = tokens

    def release(self, documents: int) -> None:
        """Give back the room of documents that have been scored, with their share of the tokens."""
        documents = min(documents, self._documents)
        tokens = self._tokens * documents // max(1, self._documents)
        self._documents -= documents
        self._tokens -= tokens
        self._admission.documents.give_back(documents)
        self._admission.tokens.give_back(tokens)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release(self._documents)
