"""What the probes answer."""

import asyncio

from reranker_operator.metrics import Metrics
from reranker_operator.watches import FAILING_SECONDS, STALE_SECONDS, Watches
from reranker_operator.web import HOPELESS_SECONDS, HUNG_PASS_SECONDS, Health
from reranker_operator.work_queue import Key, WorkQueue

PODS = "/api/v1/pods"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def _no_pass(_: Key) -> None:
    return None


class Scene:
    """One watch, a queue that nobody works on, and the probes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.queue = WorkQueue(_no_pass, Metrics())
        self.watches = Watches([PODS], self.clock)
        self.health = Health([self.queue], self.watches, self.clock)


def test_ready_once_everything_is_watched_and_was_looked_at():
    scene = Scene()
    assert scene.health.unready() == [f"{PODS} has not been watched yet"]
    scene.watches.opened(PODS)
    scene.queue.add(("shop", "products"))
    assert scene.health.unready() == ["1 objects have not been looked at yet"]


def test_later_work_does_not_end_readiness():
    scene = Scene()
    scene.watches.opened(PODS)
    assert scene.health.unready() == []
    scene.queue.add(("shop", "products"))
    assert scene.health.unready() == []


def test_dead_watch_ends_readiness_at_once_and_life_after_long():
    scene = Scene()
    scene.watches.opened(PODS)
    assert scene.health.unready() == []
    scene.watches.failed(PODS)
    scene.clock.now += FAILING_SECONDS + 1
    assert scene.health.unready()
    assert scene.health.dead() == []
    scene.clock.now += HOPELESS_SECONDS
    assert scene.health.dead() == scene.health.unready()
    scene.watches.opened(PODS)
    assert scene.health.dead() == []
    scene.clock.now += STALE_SECONDS
    assert scene.health.dead() == []


def test_hung_pass_ends_life():
    async def play() -> None:
        async def hang(_: Key) -> None:
            await asyncio.Event().wait()

        clock = Clock()
        queue = WorkQueue(hang, Metrics(), clock=clock)
        health = Health([queue], Watches([]), clock)
        worker = asyncio.create_task(queue.work())
        queue.add(("shop", "products"))
        await asyncio.sleep(0)
        clock.now += HUNG_PASS_SECONDS
        assert health.dead() == []
        clock.now += 1
        assert health.dead() == [f"a pass has been running for {HUNG_PASS_SECONDS + 1:.0f} s"]
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    asyncio.run(play())


class Election:
    """A part in the leader election that does as it is told."""

    def __init__(self, *, holds: bool, sees: bool) -> None:
        self.holds = holds
        self.sees = sees


def test_standby_is_ready_while_it_sees_the_lease():
    scene, election = Scene(), Election(holds=False, sees=True)
    health = Health([scene.queue], scene.watches, scene.clock, election)
    assert (health.unready(), health.leads) == ([], False)
    election.sees = False
    assert health.unready() == ["the Lease can't be read"]
    scene.clock.now += HOPELESS_SECONDS + 1
    assert health.dead() == ["the Lease can't be read"]


def test_new_leader_is_ready_once_everything_is_watched():
    scene, election = Scene(), Election(holds=False, sees=True)
    health = Health([scene.queue], scene.watches, scene.clock, election)
    assert health.unready() == []
    election.holds = True
    assert health.unready() == [f"{PODS} has not been watched yet"]
    scene.watches.opened(PODS)
    assert (health.unready(), health.leads) == ([], True)
