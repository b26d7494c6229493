"""The waiting prompts of all requests, cut into submissions for the engine.

The engine's thread takes the next submission the moment it has finished one, so that no round trip to the event loop
lies between two batches, and whatever came in meanwhile shares the next one.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from reranker_service.scoring.ordering import longest_first


class Job:
    """One request's prompts and their log-odds, in the request's order.

    The engine gets the prompts longest first if `sort`; `indices` says where each of them belongs.
    """

    def __init__(self, prompts: list[list[int]], *, sort: bool) -> None:
        self.prompts = prompts
        self.indices = longest_first([len(ids) for ids in prompts]) if sort else list(range(len(prompts)))
        self.log_odds = [float("nan")] * len(prompts)
        self.taken = 0
        self.scored = 0
        self.queued_at = time.monotonic()
        self.taken_at: float | None = None

    def store(self, start: int, log_odds: list[float]) -> bool:
        """Put the answers for `indices[start:]` where they belong; True when it was the last of them."""
        for index, value in zip(self.indices[start : start + len(log_odds)], log_odds, strict=True):
            self.log_odds[index] = value
        self.scored += len(log_odds)
        return self.scored == len(self.prompts)


@dataclass(frozen=True, slots=True)
class Part:
    """The prompts of one job in one submission: those at `job.indices[start:stop]`."""

    job: Job
    start: int
    stop: int

    @property
    def prompts(self) -> list[list[int]]:
        """Token ids, in the order the engine gets them."""
        return [self.job.prompts[index] for index in self.job.indices[self.start : self.stop]]


@dataclass(frozen=True, slots=True)
class Submission:
    """What goes into one engine call."""

    parts: list[Part] = field(default_factory=list)

    @property
    def prompts(self) -> list[list[int]]:
        """All token ids, part after part."""
        return [ids for part in self.parts for ids in part.prompts]


class WorkQueue:
    """First come, first served, with several jobs in one submission. Safe from any thread.

    Args:
        batch_documents: most prompts in one submission.
    """

    def __init__(self, batch_documents: int) -> None:
        self._batch = batch_documents
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, job: Job) -> None:
        """Append a job that has at least one prompt."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

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

    def take(self) -> Submission | None:
        """The next submission, waiting for one; None when the queue is closed and empty."""
        with self._changed:
            while not self._jobs:
                if self._closed:
                    return None
                self._changed.wait()
            submission = Submission()
            room = self._batch
            while room and self._jobs:
                part = self._cut(self._jobs[0], room)
                submission.parts.append(part)
                room -= part.stop - part.start
                if part.stop == len(part.job.prompts):
                    self._jobs.popleft()
            return submission

    @staticmethod
    def _cut(job: Job, room: int) -> Part:
        if job.taken_at is None:
            job.taken_at = time.monotonic()
        part = Part(job, job.taken, min(len(job.prompts), job.taken + room))
        job.taken = part.stop
        return part
