"""The queue's promises, with a reconcile function that the test steers."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from reranker_operator import work_queue
from reranker_operator.metrics import Metrics
from reranker_operator.work_queue import Key, WorkQueue

A, B = ("shop", "a"), ("shop", "b")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for isn't ours to signal
            await asyncio.sleep(0.005)


class Passes:
    """Counts passes; each lasts until the gate is open, and fails while `failing` is set."""

    def __init__(self) -> None:
        self.count: Counter[Key] = Counter()
        self.active: Counter[Key] = Counter()
        self.most_active = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = False
        self.again_after: float | None = None

    async def __call__(self, key: Key) -> float | None:
        self.count[key] += 1
        self.active[key] += 1
        self.most_active = max(self.most_active, self.active[key])
        await asyncio.sleep(0)
        await self.gate.wait()
        self.active[key] -= 1
        if self.failing:
            raise RuntimeError("on purpose")
        return self.again_after


async def with_workers(play: Callable[[WorkQueue, Passes], object]) -> None:
    """Play a scene with two workers running."""
    passes = Passes()
    queue = WorkQueue(passes, Metrics())
    workers = [asyncio.create_task(queue.work()) for _ in range(2)]
    try:
        await play(queue, passes)  # type: ignore[misc]
        assert not any(worker.done() for worker in workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def test_key_added_many_times_while_it_waits_is_worked_on_once():
    async def play(queue: WorkQueue, passes: Passes) -> None:
        for _ in range(100):
            queue.add(A)
        await until(lambda: queue.pending == 0)
        assert passes.count == {A: 1}

    asyncio.run(with_workers(play))


def test_key_added_while_it_is_worked_on_is_worked_on_once_more_and_never_twice_at_a_time():
    async def play(queue: WorkQueue, passes: Passes) -> None:
        passes.gate.clear()
        queue.add(A)
        await until(lambda: passes.active[A] == 1)
        for _ in range(100):
            queue.add(A)
        await asyncio.sleep(0.02)
        assert passes.count == {A: 1}
        passes.gate.set()
        await until(lambda: queue.pending == 0)
        assert passes.count == {A: 2}
        assert passes.most_active == 1

    asyncio.run(with_workers(play))


def test_slow_key_does_not_hold_up_another():
    async def play(queue: WorkQueue, passes: Passes) -> None:
        passes.gate.clear()
        queue.add(A)
        await until(lambda: passes.active[A] == 1)
        queue.add(B)
        await until(lambda: passes.active[B] == 1)
        assert queue.pending == 2
        assert queue.longest_pass_seconds > 0
        passes.gate.set()
        await until(lambda: queue.pending == 0)

    asyncio.run(with_workers(play))


def test_failing_key_is_tried_again_ever_later_and_at_once_when_it_is_added(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(work_queue, "FIRST_DELAY_SECONDS", 0.02)
    delays: list[float] = []

    async def play(queue: WorkQueue, passes: Passes) -> None:
        loop = asyncio.get_running_loop()
        call_later = loop.call_later
        monkeypatch.setattr(loop, "call_later", lambda delay, *rest: delays.append(delay) or call_later(delay, *rest))
        passes.failing = True
        queue.add(A)
        await until(lambda: passes.count[A] == 4)
        waits = [delay for delay in delays if delay >= 0.02]
        assert waits[:3] == [0.02, 0.04, 0.08]
        passes.failing = False
        queue.add(A)
        await until(lambda: queue.pending == 0)
        seen = passes.count[A]
        await asyncio.sleep(0.3)
        assert passes.count[A] == seen, "a timer of before went off"

    asyncio.run(with_workers(play))


def test_key_that_asks_for_it_comes_again_by_itself():
    async def play(queue: WorkQueue, passes: Passes) -> None:
        passes.again_after = 0.01
        queue.add(A)
        await until(lambda: passes.count[A] >= 3)
        passes.again_after = None
        await asyncio.sleep(0.05)  # one more may be due already
        seen = passes.count[A]
        await asyncio.sleep(0.05)
        assert passes.count[A] == seen

    asyncio.run(with_workers(play))


def test_delay_has_a_ceiling(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(work_queue, "FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(work_queue, "LONGEST_DELAY_SECONDS", 0.004)

    async def play(queue: WorkQueue, passes: Passes) -> None:
        passes.failing = True
        queue.add(A)
        await until(lambda: passes.count[A] >= 20)

    asyncio.run(with_workers(play))
