"""When requests are sent: one after another, several at once (closed loop), or by the clock (open loop).

In a closed loop a slow server is sent less, and its queue never shows. In an open loop requests are due at moments that
do not depend on the server, and a time counts from the moment at which its request was due: one that could not be sent
then, since all connections were busy, has waited, and that waiting is part of its latency.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from reranker_bench.load import Sample

OPEN_LOOP_CONNECTIONS = 128
"""So many requests may be under way in an open loop, unless told otherwise."""
Arrivals = Literal["poisson", "even"]


@dataclass(frozen=True)
class Pace:
    """How requests follow one another."""

    concurrency: int | None = None
    """Most requests under way at once; None: 1 in a closed loop, OPEN_LOOP_CONNECTIONS in an open one."""
    rate: float | None = None
    """Requests a second, for an open loop."""
    arrivals: Arrivals = "poisson"
    """Of the open loop: at random moments that are independent of one another, or evenly spaced."""
    duration_s: float | None = None
    """Send for so many seconds a size instead of a fixed number of requests."""

    @property
    def connections(self) -> int:
        """Most requests under way at once."""
        return self.concurrency or (1 if self.rate is None else OPEN_LOOP_CONNECTIONS)

    def describe(self) -> str:
        """In words; empty for the method's own way."""
        parts = [] if self.connections == 1 else [f"at most {self.connections} at once"]
        if self.rate is not None:
            parts.append(f"open loop, {self.rate:g} requests/s ({self.arrivals})")
        if self.duration_s is not None:
            parts.append(f"{self.duration_s:g} s a size")
        return ", ".join(parts)


@dataclass(frozen=True)
class Request:
    """One that is ready to be sent."""

    body: bytes
    documents: int
    number: int
    what: str


class Worker(Protocol):
    """Sends requests, one at a time."""

    def encode(self, query: str, documents: list[str]) -> bytes:
        """The body of a request."""

    def send(self, body: bytes, documents: int, *, repeat: int, due: float | None = None) -> Sample:
        """Send it; the time counts from `due` (`time.perf_counter`) where given."""

    def abort(self) -> None:
        """Break the request under way, from another thread."""

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(self, *_: object) -> None:
        """Close it."""


class _Feed:
    """Hands the requests out, in order, each with the moment at which it is due (None: at once)."""

    def __init__(self, pace: Pace, requests: Iterable[Request], seed: str) -> None:
        self._requests: Iterator[Request] = iter(requests)
        self._gaps = random.Random(f"{seed}/arrivals")
        self._pace = pace
        self._turn = threading.Lock()
        self._due = 0.0
        self.started = time.perf_counter()
        self.stopped = threading.Event()

    def next(self) -> tuple[Request, float | None] | None:
        """The next one, once it is nearly due; None when there are no more."""
        with self._turn:
            if self.stopped.is_set() or self._over():
                return None
            request = next(self._requests, None)
            if request is None or self._pace.rate is None:
                return None if request is None else (request, None)
            due = self.started + self._due
            self._due += self._gap(self._pace.rate)
            # With the lock held: whoever comes next must not draw its request before this one is on its way.
            if not self._wait_until(due):
                return None
            return request, due

    def _over(self) -> bool:
        if self._pace.duration_s is None:
            return False
        at = self._due if self._pace.rate is not None else time.perf_counter() - self.started
        return at >= self._pace.duration_s

    def _gap(self, rate: float) -> float:
        return 1 / rate if self._pace.arrivals == "even" else -math.log(1 - self._gaps.random()) / rate

    def _wait_until(self, due: float) -> bool:
        left = due - time.perf_counter()
        return not (self.stopped.wait(left) if left > 0 else self.stopped.is_set())


def drive(
    pace: Pace,
    requests: Iterable[Request],
    *,
    seed: str,
    first: Worker,
    connect: Callable[[], Worker],
    begins: Callable[[Request], None],
    ended: Callable[[Request, Sample], None],
    wall: Callable[[float], None],
) -> None:
    """Send all the requests at this pace; what is under way when Ctrl-C comes is given up and not told of.

    Args:
        pace: how they follow one another.
        requests: consumed one by one, in order, never more than one ahead.
        seed: of the moments of arrival.
        first: a worker that is there already; more are made by `connect` where the pace wants them.
        connect: makes a worker.
        begins: told before each request is sent.
        ended: told what each came to.
        wall: told, also after an interruption, the seconds from the start to the last end.
    """
    feed = _Feed(pace, requests, seed)
    telling = threading.Lock()

    def work(worker: Worker) -> None:
        while (given := feed.next()) is not None:
            request, due = given
            begins(request)
            sample = worker.send(request.body, request.documents, repeat=request.number, due=due)
            with telling:
                if not feed.stopped.is_set():
                    ended(request, sample)
                    wall(time.perf_counter() - feed.started)

    if pace.connections == 1:
        work(first)
        return
    with ExitStack() as open_workers:
        workers = [first, *(open_workers.enter_context(connect()) for _ in range(pace.connections - 1))]
        _together(work, workers, feed)


def _together(work: Callable[[Worker], None], workers: list[Worker], feed: _Feed) -> None:
    """Let each worker work in a thread of its own; an error in one ends all and is raised here."""
    errors: list[BaseException] = []

    def guarded(worker: Worker) -> None:
        try:
            work(worker)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            errors.append(error)
            feed.stopped.set()

    threads = [threading.Thread(target=guarded, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # not for ever: a wait without an end can't be interrupted
    except KeyboardInterrupt:
        feed.stopped.set()
        for worker in workers:
            worker.abort()
        for thread in threads:
            thread.join(2)
        raise
    if errors:
        raise errors[0]
