"""The method: warm up, then `repeat` timed requests for each number of documents, one after another.

The order and the draws are part of the method, so they stand here, away from the command line and the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from reranker_bench.draws import Draws
from reranker_bench.load import Sample


class Progress(Protocol):
    """Is told of each request before it is sent and after it ended."""

    def begins(self, what: str) -> None:
        """A request is about to be sent."""

    def ended(self, what: str, sample: Sample, *, timed: bool) -> None:
        """It came to `sample`; `timed` is false for warm-ups."""


class Reranker(Protocol):
    """What the method measures."""

    def rerank(self, query: str, documents: Sequence[str], *, repeat: int) -> Sample:
        """Send one request."""


@dataclass(frozen=True)
class Plan:
    """Which requests are sent, in order."""

    documents: tuple[int, ...]
    repeat: int
    seed: int
    query: str
    warmup_requests: int
    warmup_documents: int

    def requests(self) -> int:
        """How many there are, warm-ups included."""
        return self.warmup_requests + self.repeat * len(self.documents)

    def largest(self) -> int:
        """The most documents of one request: no fewer titles will do."""
        return max([*self.documents, *([self.warmup_documents] if self.warmup_requests else [])])


@dataclass
class Measured:
    """What has been measured so far. It is filled as the run goes on, so that an interruption loses nothing."""

    warmup: list[Sample] = field(default_factory=list)
    timed: dict[int, list[Sample]] = field(default_factory=dict)
    interrupted: bool = False


def run(plan: Plan, reranker: Reranker, draws: Draws, progress: Progress) -> Measured:
    """Send all the requests. A lost sample is kept as such and never sent again; Ctrl-C ends the run early."""
    measured = Measured()
    try:
        for sample in _warm_up(plan, reranker, draws, progress):
            measured.warmup.append(sample)
        for documents in plan.documents:
            samples = measured.timed.setdefault(documents, [])
            for repeat in range(1, plan.repeat + 1):
                titles = draws.draw(documents, repeat)
                what = f"n={documents} run {repeat}/{plan.repeat}"
                progress.begins(what)
                sample = reranker.rerank(plan.query, titles, repeat=repeat)
                samples.append(sample)
                progress.ended(what, sample, timed=True)
    except KeyboardInterrupt:
        measured.interrupted = True
    return measured


def _warm_up(plan: Plan, reranker: Reranker, draws: Draws, progress: Progress) -> Iterable[Sample]:
    for number in range(1, plan.warmup_requests + 1):
        titles = draws.draw(plan.warmup_documents, f"warm-up {number}")
        what = f"warm-up {number}/{plan.warmup_requests} n={plan.warmup_documents}"
        progress.begins(what)
        sample = reranker.rerank(plan.query, titles, repeat=number)
        yield sample
        progress.ended(what, sample, timed=False)
