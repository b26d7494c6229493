"""The method: warm up, then the timed requests for each number of documents.

The order and the draws are part of the method, so they stand here, away from the command line and the tables. One
request after another is the method's own way; `pace` says which others there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from typing import Protocol

from reranker_bench.draws import Draws
from reranker_bench.load import Sample
from reranker_bench.pace import Pace, Request, Worker, drive


class Progress(Protocol):
    """Is told of each request before it is sent and after it ended; from several threads when requests overlap."""

    def begins(self, what: str) -> None:
        """A request is about to be sent."""

    def ended(self, what: str, sample: Sample, *, timed: bool) -> None:
        """It came to `sample`; `timed` is false for warm-ups."""


@dataclass(frozen=True)
class Plan:
    """Which requests are sent, in order."""

    documents: tuple[int, ...]
    repeat: int
    """Timed requests a size; with `pace.duration_s`, how long counts instead."""
    seed: int
    query: str
    warmup_requests: int
    warmup_documents: int
    pace: Pace = field(default_factory=Pace)

    def requests(self) -> int | None:
        """How many there are, warm-ups included; None where the time decides."""
        if self.pace.duration_s is not None:
            return None
        return self.warmup_requests + self.repeat * len(self.documents)

    def largest(self) -> int:
        """The most documents of one request: no fewer titles will do."""
        return max([*self.documents, *([self.warmup_documents] if self.warmup_requests else [])])

    def titles(self) -> int | None:
        """How many titles all the requests take together, about; None where the server's speed decides."""
        requests: float = self.repeat
        if self.pace.duration_s is not None:
            if self.pace.rate is None:
                return None
            requests = 10 + 1.5 * self.pace.rate * self.pace.duration_s
        return self.warmup_requests * self.warmup_documents + ceil(requests * sum(self.documents))


@dataclass
class Timed:
    """The timed requests of one size."""

    samples: list[Sample] = field(default_factory=list)
    """In the order of their numbers."""
    wall_s: float = 0.0
    """From the first request's start to the last one's end."""


@dataclass
class Measured:
    """What has been measured so far. It is filled as the run goes on, so that an interruption loses nothing."""

    warmup: list[Sample] = field(default_factory=list)
    timed: dict[int, Timed] = field(default_factory=dict)
    interrupted: bool = False


def run(
    plan: Plan,
    connect: Callable[[], Worker],
    draws: Draws,
    progress: Progress,
    *,
    warmed: Callable[[], None] = lambda: None,
) -> Measured:
    """Send all the requests. A lost sample is kept as such and never sent again; Ctrl-C ends the run early.

    `connect` makes a client for each worker; `warmed` is called between the warm-up and the first timed request.
    """
    measured = Measured()
    try:
        with connect() as client:
            for sample in _warm_up(plan, client, draws, progress):
                measured.warmup.append(sample)
            warmed()
            sweep = _Sweep(plan, client, connect, draws, progress)
            for documents in plan.documents:
                sweep.time(documents, measured.timed.setdefault(documents, Timed()))
    except KeyboardInterrupt:
        measured.interrupted = True
    return measured


@dataclass(frozen=True)
class _Sweep:
    """What all sizes of a run have in common."""

    plan: Plan
    first: Worker
    connect: Callable[[], Worker]
    draws: Draws
    progress: Progress

    def time(self, documents: int, timed: Timed) -> None:
        """Send the timed requests of one size."""

        def ended(request: Request, sample: Sample) -> None:
            timed.samples.append(sample)
            self.progress.ended(request.what, sample, timed=True)

        try:
            drive(
                self.plan.pace,
                self._requests(documents),
                seed=f"{self.plan.seed}/{documents}",
                first=self.first,
                connect=self.connect,
                begins=lambda request: self.progress.begins(request.what),
                ended=ended,
                wall=lambda seconds: setattr(timed, "wall_s", seconds),
            )
        finally:
            timed.samples.sort(key=lambda sample: sample.repeat)

    def _requests(self, documents: int) -> Iterable[Request]:
        plan = self.plan
        endless = plan.pace.duration_s is not None
        of = "" if endless else f"/{plan.repeat}"
        for number in count(1) if endless else range(1, plan.repeat + 1):
            body = self.first.encode(plan.query, self.draws.draw(documents, number))
            yield Request(body, documents, number, f"n={documents} run {number}{of}")


def _warm_up(plan: Plan, client: Worker, draws: Draws, progress: Progress) -> Iterable[Sample]:
    for number in range(1, plan.warmup_requests + 1):
        body = client.encode(plan.query, draws.draw(plan.warmup_documents, f"warm-up {number}"))
        what = f"warm-up {number}/{plan.warmup_requests} n={plan.warmup_documents}"
        progress.begins(what)
        sample = client.send(body, plan.warmup_documents, repeat=number)
        yield sample
        progress.ended(what, sample, timed=False)
