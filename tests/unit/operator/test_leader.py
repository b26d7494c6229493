"""Who holds the Lease, as a function of what is in it and of the monotonic clock. No API server can be made to wait."""

import asyncio
import copy
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from reranker_operator.connection import Connection
from reranker_operator.kinds import CONFIG_MAP, Kind
from reranker_operator.kube import ApiError, ConflictError, Kube, LeaderlessError
from reranker_operator.leader import Leader, LeaseLostError
from reranker_operator.settings import LeaderElection

ELECTION = LeaderElection(enabled=True, lease_seconds=12, renew_seconds=8, retry_seconds=0.1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Store:
    """One Lease, with resource versions."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.down = False

    async def get(self, _kind: Kind, _namespace: str, _name: str) -> dict[str, Any] | None:
        self._check()
        return copy.deepcopy(self.lease)

    async def create(self, _kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        self._check()
        if self.lease is not None:
            raise ConflictError("it is there", 409)
        return self._put(manifest, 1)

    async def replace(self, _kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        self._check()
        version = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if manifest["metadata"].get("resourceVersion") != version:
            raise ConflictError("it has changed", 409)
        return self._put(manifest, int(version or 0) + 1)

    def _put(self, manifest: dict[str, Any], version: int) -> dict[str, Any]:
        self.lease = copy.deepcopy(manifest)
        self.lease["metadata"]["resourceVersion"] = str(version)
        return copy.deepcopy(self.lease)

    def _check(self) -> None:
        if self.down:
            raise ApiError("no answer")


class Scene:
    """Two candidates for one Lease, with one clock."""

    def __init__(self) -> None:
        self.clock, self.store = Clock(), Store()
        self.first, self.second = self.candidate("first"), self.candidate("second")

    def candidate(self, identity: str) -> Leader:
        return Leader(self.store, ELECTION, "system", identity, self.clock)  # type: ignore[arg-type]

    async def look(self, leader: Leader) -> bool:
        """One look at the Lease; whether it was taken."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await leader.acquire(stop)

    @property
    def spec(self) -> dict[str, Any]:
        assert self.store.lease is not None
        found: dict[str, Any] = self.store.lease["spec"]
        return found


def test_first_takes_it_and_second_stands_by():
    async def story() -> None:
        scene = Scene()
        assert await scene.look(scene.first)
        assert not await scene.look(scene.second)
        assert (scene.first.holds, scene.second.holds, scene.second.sees) == (True, False, True)
        assert (scene.spec["holderIdentity"], scene.spec["leaseTransitions"]) == ("first", 0)

    asyncio.run(story())


def test_lease_is_taken_over_only_when_it_stayed_the_same_for_its_whole_length():
    async def story() -> None:
        scene = Scene()
        await scene.look(scene.first)
        scene.clock.now += 100  # however old it is, the second has only just seen it
        assert not await scene.look(scene.second)
        scene.clock.now += 12
        assert not await scene.look(scene.second)
        scene.clock.now += 0.1
        assert await scene.look(scene.second)
        assert (scene.spec["holderIdentity"], scene.spec["leaseTransitions"]) == ("second", 1)

    asyncio.run(story())


def test_renewal_begins_the_wait_anew():
    async def story() -> None:
        scene = Scene()
        await scene.look(scene.first)
        await scene.look(scene.second)
        scene.clock.now += 7
        keeping = asyncio.create_task(scene.first.keep())
        await asyncio.sleep(0.15)
        keeping.cancel()
        scene.clock.now += 7
        assert not await scene.look(scene.second)

    asyncio.run(story())


def test_holder_stops_before_anyone_may_take_over():
    async def story() -> None:
        scene = Scene()
        await scene.look(scene.first)
        scene.store.down = True
        scene.clock.now += 7.9
        assert scene.first.holds
        scene.clock.now += 0.1
        assert not scene.first.holds
        with pytest.raises(LeaseLostError, match="could not be renewed for 8 s"):
            await scene.first.keep()

    asyncio.run(story())


def test_holder_ends_when_the_lease_belongs_to_somebody_else():
    async def story() -> None:
        scene = Scene()
        await scene.look(scene.first)
        await scene.look(scene.second)
        scene.clock.now += 13
        assert await scene.look(scene.second)
        scene.clock.now -= 13  # the first had been stopped, and knows nothing of it
        with pytest.raises(LeaseLostError, match="belongs to second now"):
            await scene.first.keep()

    asyncio.run(story())


def test_foreign_change_of_the_lease_is_no_loss():
    async def story() -> None:
        scene = Scene()
        await scene.look(scene.first)
        assert scene.store.lease is not None
        scene.store.lease["metadata"]["resourceVersion"] = "77"
        keeping = asyncio.create_task(scene.first.keep())
        await asyncio.sleep(0.35)
        assert not keeping.done()
        keeping.cancel()
        assert int(scene.store.lease["metadata"]["resourceVersion"]) > 77

    asyncio.run(story())


def test_released_lease_is_free_at_once():
    async def story() -> None:
        scene = Scene()
        await scene.look(scene.first)
        await scene.first.release()
        assert not scene.first.holds
        assert await scene.look(scene.second)

    asyncio.run(story())


def test_standby_that_can_not_read_the_lease_does_not_see_it():
    async def story() -> None:
        scene = Scene()
        await scene.look(scene.first)
        await scene.look(scene.second)
        scene.store.down = True
        scene.clock.now += 13
        assert not await scene.look(scene.second)
        assert not scene.second.sees

    asyncio.run(story())


def test_nothing_is_written_without_the_lease():
    async def story() -> None:
        kube = Kube(Connection(Configuration(host="http://127.0.0.1:1")), may_write=lambda: False)
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b", "uid": "u"}}
        try:
            for write in (kube.apply, kube.apply_status, kube.delete, kube.post_event):
                with pytest.raises(LeaderlessError):
                    await write(manifest)
            with pytest.raises(ApiError, match="GET /api/v1/namespaces/b/configmaps"):
                await kube.get(CONFIG_MAP, "b", "a")  # reading needs no Lease, but an API server
        finally:
            await kube.close()

    asyncio.run(story())
