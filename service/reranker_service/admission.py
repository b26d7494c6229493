"""How much work may be waiting: a request is accepted with all its documents and tokens, or not at all.

The limits count what was accepted and is not scored yet, wherever it is (being tokenised, waiting, or in the engine).
Counting when a request comes in, before any work is done for it, keeps a burst from costing memory and tokenising time
that the answer 429 would then throw away. Tokens are not known at that moment: a request comes in with the most that
its texts can have, and is put right as soon as it is tokenised.
"""

import math
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from reranker_service.errors import QueueFull

LONGEST_RETRY_S = 30
SMOOTHING = 0.2
# The most tokens of a prompt's fixed parts, the standard format's long system message included.
FIXED_TOKENS = 96
# How often an instruction stands in a prompt, at most.
INSTRUCTIONS = 2


def most_tokens(pairs: Sequence[tuple[str, str]], instruction: str, max_prompt_tokens: int) -> int:
    """At least as many tokens as the prompts of (query, document) pairs have: a token has at least one byte."""
    fixed = FIXED_TOKENS + INSTRUCTIONS * len(instruction.encode(errors="replace"))
    return sum(
        min(max_prompt_tokens, fixed + len(query.encode(errors="replace")) + len(document.encode(errors="replace")))
        for query, document in pairs
    )


class Quota:
    """One limited quantity: how much of it is taken, and how fast it is worked off.

    Args:
        name: for errors.
        limit: the most that may be taken; None for no limit.
        on_change: called with each new amount.
    """

    def __init__(self, name: str, limit: int | None, on_change: Callable[[int], None]) -> None:
        self.taken = 0
        self._name = name
        self._limit = limit
        self._on_change = on_change
        self._per_s = 0.0

    def check(self, amount: int, *, idle: bool) -> None:
        """Raise QueueFull unless `amount` fits; with `idle`, anything does: waiting would not make more room."""
        if self._limit is None or idle or self.taken + amount <= self._limit:
            return
        raise QueueFull(
            what=self._name,
            wanted=amount,
            queued=self.taken,
            limit=self._limit,
            retry_after_s=self._retry_after(self.taken + amount - self._limit),
        )

    def change(self, by: int) -> None:
        """Take or give back."""
        self.taken += by
        self._on_change(self.taken)

    def observe(self, amount: int, seconds: float) -> None:
        """Take one engine call into the running mean of the speed."""
        speed = amount / max(seconds, 1e-6)
        self._per_s += (speed - self._per_s) * (SMOOTHING if self._per_s else 1.0)

    def _retry_after(self, excess: int) -> int:
        if not self._per_s:
            return 1
        return min(LONGEST_RETRY_S, max(1, math.ceil(excess / self._per_s)))


class Admission:
    """The counts of accepted documents and tokens. Event loop only."""

    def __init__(self, documents: Quota, tokens: Quota) -> None:
        self.documents = documents
        self.tokens = tokens

    def admit(self, documents: int, tokens: int) -> "Reservation":
        """Accept a request.

        Args:
            documents: how many it has.
            tokens: the most that its prompts can have. A single request may have more than the limit while nothing
                else waits: it would never be accepted otherwise.

        Raises:
            QueueFull: it doesn't fit, with an estimate of when it will.
        """
        self.documents.check(documents, idle=False)
        self.tokens.check(tokens, idle=self.tokens.taken == 0)
        self.documents.change(documents)
        self.tokens.change(tokens)
        return Reservation(self, documents, tokens)

    def observe_speed(self, documents: int, tokens: int, seconds: float) -> None:
        """Take one engine call into the running means of the speed."""
        self.documents.observe(documents, seconds)
        self.tokens.observe(tokens, seconds)


class Reservation:
    """The room one request holds; leaving its `with` block gives back whatever is left of it."""

    def __init__(self, admission: Admission, documents: int, tokens: int) -> None:
        self._admission = admission
        self._documents = documents
        self._left = documents
        self._tokens = tokens

    def correct(self, tokens: int) -> None:
        """The request has so many tokens in all, those that have been scored included."""
        self._keep_tokens(tokens * self._left // max(1, self._documents))

    def release(self, documents: int) -> None:
        """Give back the room of documents that have been scored, with their share of the tokens."""
        documents = min(documents, self._left)
        share = self._tokens * (self._left - documents) // max(1, self._left)
        self._left -= documents
        self._admission.documents.change(-documents)
        self._keep_tokens(share)

    def _keep_tokens(self, tokens: int) -> None:
        self._admission.tokens.change(tokens - self._tokens)
        self._tokens = tokens

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release(self._left)
