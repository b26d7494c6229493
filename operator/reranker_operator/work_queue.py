"""A queue of keys to reconcile: each key is worked on by one worker at a time, and failures wait ever longer.

It holds keys, not events. A key that is added while it waits is there once; one that is added while it is worked on
is worked on once more afterwards. So a worker always starts from what the cluster holds then, and hundreds of changes
of one object cost a few passes.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from reranker_operator.metrics import Metrics
from reranker_operator.names import KIND

Key = tuple[str, str]
"""Namespace and name of a custom resource; each kind has a queue of its own."""
Reconcile = Callable[[Key], Awaitable[float | None]]
"""One pass; the seconds after which the key is due again though nothing was seen to change, if it is."""

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 60.0

logger = logging.getLogger(__name__)


class WorkQueue:
    """The queue. Belongs to one event loop; no method but `work` waits."""

    def __init__(
        self,
        reconcile: Reconcile,
        metrics: Metrics,
        kind: str = KIND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reconcile = reconcile
        self._metrics = metrics
        self._kind = kind
        self._clock = clock
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()
        self._active: dict[Key, float] = {}
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._wake = asyncio.Semaphore(0)

    def add(self, key: Key) -> None:
        """Have the key worked on as soon as a worker is free; a delay that it waits for is cut short."""
        self._cancel_timer(key)
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._wake.release()
        self._metrics.queue_depth.labels(kind=self._kind).set(self.pending)

    @property
    def pending(self) -> int:
        """How many keys wait for a worker or are worked on; those that wait for a delay are not counted."""
        return len(self._ready) + len(self._active)

    @property
    def longest_pass_seconds(self) -> float:
        """How long the oldest pass that runs now has been running."""
        return max((self._clock() - started for started in self._active.values()), default=0.0)

    async def work(self) -> None:
        """Work until cancelled. Several workers may run beside each other."""
        while True:
            await self._wake.acquire()
            key = self._ready.popleft()
            self._waiting.discard(key)
            self._active[key] = self._clock()
            try:
                await self._pass(key)
            finally:
                del self._active[key]
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            self._metrics.queue_depth.labels(kind=self._kind).set(self.pending)

    async def _pass(self, key: Key) -> None:
        started = self._clock()
        try:
            again_after = await self._reconcile(key)
        except Exception as error:  # noqa: BLE001 - whatever one object's pass raises, the others go on
            self._retry(key, error)
            result = "error"
        else:
            self._failures.pop(key, None)
            if again_after is not None:
                self._add_later(key, again_after)
            result = "success"
        self._metrics.reconciles.labels(kind=self._kind, result=result).inc()
        self._metrics.reconcile_duration.labels(kind=self._kind).observe(self._clock() - started)

    def _retry(self, key: Key, error: Exception) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(FIRST_DELAY_SECONDS * 2**failures, LONGEST_DELAY_SECONDS)
        logger.warning("%s/%s: %s: %s; again in %.1f s", *key, type(error).__name__, error, delay)
        logger.debug("the pass that failed", exc_info=error)
        self._add_later(key, delay)

    def _add_later(self, key: Key, seconds: float) -> None:
        self._cancel_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def _cancel_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
