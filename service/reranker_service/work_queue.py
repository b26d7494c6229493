"""The waiting prompts of all requests, cut into submissions for the engine.

The engine's thread takes the next submission when it needs one, so that no round trip to the event loop lies between
two batches, and whatever came in meanwhile shares the next one. A request's prompts may come in several chunks; those
that are there can be taken while others are still being tokenised.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reranker_service.engines.protocol import Capacity, LogOdds
from reranker_service.scoring.prompt_arrays import Prompts

Places = NDArray[np.int64]
# What a request that has had a turn before keeps of a submission, while younger ones go first. So a small request
# behind a large one waits for one submission, and a large one among many small ones still gets on.
RESERVED_SHARE = 4
# Of what several requests have waiting, a submission takes half, unless that is less than so many ids: while the other
# half is computed, the first one's requests are answered and their clients ask anew. All at once would leave nothing to
# do meanwhile. Requests of fewer ids than this are not cut for it.
WORTH_HALVING = 8192


@dataclass(frozen=True, slots=True)
class Piece:
    """Prompts of one request with one head; `places` (n,) are their indices in the request."""

    prompts: Prompts
    places: Places


class Job:
    """One request's prompts and their log-odds, in the request's order.

    Args:
        documents: how many prompts there will be.
        sort: hand out each chunk longest first.
    """

    def __init__(self, documents: int, *, sort: bool) -> None:
        self.documents = documents
        self.log_odds: LogOdds = np.full(documents, np.nan)
        self.queued_at = time.monotonic()
        self.taken_at: float | None = None
        self._sort = sort
        self._chunks: deque[Piece] = deque()
        self._start = 0
        self._added = 0
        self._taken = 0
        self._scored = 0

    @property
    def waiting(self) -> int:
        """Prompts that are there and not taken yet."""
        return self._added - self._taken

    @property
    def waiting_cost(self) -> int:
        """About how many ids those have."""
        taken = int(self._chunks[0].prompts.ends[self._start]) if self._chunks else 0
        return sum(cost(piece.prompts) for piece in self._chunks) - taken

    @property
    def begun(self) -> bool:
        """Some of it has been taken."""
        return self._taken > 0

    @property
    def all_taken(self) -> bool:
        """Nothing more will come out of it."""
        return self._taken == self.documents

    def add(self, prompts: Prompts) -> None:
        """Append the next prompts of the request."""
        places = np.arange(self._added, self._added + len(prompts))
        if self._sort:
            order = np.argsort(-prompts.lengths, kind="stable")
            prompts, places = prompts.take(order), places[order]
        self._chunks.append(Piece(prompts, places))
        self._added += len(prompts)

    def take(self, documents: int, tokens: int | None, *, at_least_one: bool) -> list[Piece]:
        """The next prompts, at most so many and with at most so many ids, each piece's head counted once.

        `at_least_one`: a prompt that is longer than `tokens` is taken nevertheless.
        """
        if self.taken_at is None:
            self.taken_at = time.monotonic()
        pieces: list[Piece] = []
        while documents and self._chunks:
            chunk = self._chunks[0]
            ends = chunk.prompts.ends
            stop = min(len(chunk.prompts), self._start + documents)
            if tokens is not None:
                last = int(ends[self._start]) + tokens - len(chunk.prompts.head)
                fitting = int(np.searchsorted(ends, last, side="right")) - 1
                stop = min(stop, max(fitting, self._start + (at_least_one and not pieces)))
            if stop <= self._start:
                break
            piece = Piece(chunk.prompts.slice(self._start, stop), chunk.places[self._start : stop])
            pieces.append(piece)
            documents -= stop - self._start
            tokens = None if tokens is None else max(0, tokens - cost(piece.prompts))
            self._taken += stop - self._start
            if stop == len(chunk.prompts):
                self._chunks.popleft()
                self._start = 0
            else:
                self._start = stop
        return pieces

    def store(self, places: Places, log_odds: LogOdds) -> bool:
        """Put answers where they belong; True when they were the last."""
        self.log_odds[places] = log_odds
        self._scored += len(places)
        return self._scored == self.documents


def cost(prompts: Prompts) -> int:
    """Ids that an engine computes which takes a shared head once."""
    return len(prompts.head) + len(prompts.bodies)


@dataclass(frozen=True, slots=True)
class Part:
    """What one job has in a submission."""

    job: Job
    pieces: list[Piece] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """Number of prompts."""
        return sum(len(piece.places) for piece in self.pieces)

    @property
    def places(self) -> Places:
        """Their indices in the job, in the order in which the engine gets them."""
        return np.concatenate([piece.places for piece in self.pieces])


@dataclass(frozen=True, slots=True)
class Submission:
    """What goes to the engine at once."""

    parts: list[Part]

    @property
    def prompts(self) -> list[Prompts]:
        """All prompts, part after part."""
        return [piece.prompts for part in self.parts for piece in part.pieces]


class WorkQueue:
    """Who came first is served first, several jobs to a submission. Safe from any thread.

    A job that has had a turn goes behind those that have had none, but for a share of each submission that the oldest
    job keeps.
    """

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, job: Job) -> None:
        """Let a job wait; its prompts come by `add`."""
        with self._changed:
            self._jobs.append(job)

    def add(self, job: Job, prompts: Prompts) -> bool:
        """Append prompts to a job; False when the job has been removed, and nobody wants the others either."""
        with self._changed:
            if job not in self._jobs:
                return False
            job.add(prompts)
            self._changed.notify()
            return True

    def remove(self, job: Job) -> None:
        """Forget what is still waiting of a job; it may be gone already."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def close(self) -> None:
        """Make `take` return None as soon as nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, capacity: Capacity, *, wait: bool = True) -> Submission | None:
        """The next submission within `capacity`.

        None when nothing is there, and with `wait` only once the queue is closed.
        """
        with self._changed:
            while not any(job.waiting for job in self._jobs):
                if self._closed or not wait:
                    return None
                self._changed.wait()
            parts = self._choose(capacity)
            self._jobs = deque(job for job in self._jobs if not job.all_taken)
            return Submission(parts)

    def _choose(self, capacity: Capacity) -> list[Part]:
        """Parts for the jobs that have prompts waiting, as far as there is room."""
        waiting = [job for job in self._jobs if job.waiting]
        turns = sorted(waiting, key=lambda job: job.begun)
        parts = {job: Part(job) for job in turns}
        documents, tokens = capacity.batch_documents, capacity.batch_tokens
        kept_back = 0
        if tokens is not None and len(waiting) > 1:
            half = sum(job.waiting_cost for job in waiting) // 2
            kept_back = max(0, tokens - max(half, WORTH_HALVING))

        def give(job: Job, documents_at_most: int, tokens_at_most: int | None) -> None:
            nonlocal documents, tokens
            empty = not any(part.pieces for part in parts.values())
            pieces = job.take(documents_at_most, tokens_at_most, at_least_one=empty)
            parts[job].pieces.extend(pieces)
            documents -= sum(len(piece.places) for piece in pieces)
            if tokens is not None:
                tokens = max(0, tokens - sum(cost(piece.prompts) for piece in pieces))

        if waiting[0].begun and len(waiting) > 1:
            give(waiting[0], -(-documents // RESERVED_SHARE), None if tokens is None else tokens // RESERVED_SHARE)
        for job in turns:
            if tokens is None:
                give(job, documents, None)
            elif tokens > kept_back:
                give(job, documents, tokens if job.waiting_cost <= WORTH_HALVING else tokens - kept_back)
        return [part for part in parts.values() if part.pieces]
