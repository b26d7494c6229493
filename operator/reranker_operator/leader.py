"""Leader election by a Lease: of several operators one works, the others stand by.

Only the monotonic clock counts. When somebody else's Lease ends is judged by how long its record has stayed the same
for us, never by the times that are written in it: clocks of two machines differ. The holder, in turn, counts from the
moment before it sent its last renewal that succeeded, and stops sooner than anyone may take over. A Lease that was lost
is never won back: the process ends, and whatever it was about to do ends with it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reranker_operator.kinds import LEASE
from reranker_operator.kube import ApiError, ConflictError, Kube, Object
from reranker_operator.settings import LeaderElection

logger = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """The Lease could not be renewed in time, or belongs to somebody else."""


@dataclass(frozen=True)
class _Seen:
    """The record that somebody else wrote, and when we first saw it so."""

    record: tuple[str | None, str | None]
    since: float


class Leader:
    """One operator's part in the election.

    Args:
        kube: the client.
        settings: names and times.
        namespace: where the Lease is.
        identity: what tells this process from every other one.
    """

    def __init__(
        self,
        kube: Kube,
        settings: LeaderElection,
        namespace: str,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._settings = settings
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._seen: _Seen | None = None
        self._looked: float | None = None
        self._renewed: float | None = None
        self._lease: Object | None = None

    @property
    def holds(self) -> bool:
        """Whether this process may write now."""
        return self._renewed is not None and self._clock() - self._renewed < self._settings.renew_seconds

    @property
    def sees(self) -> bool:
        """Whether the Lease was read lately, whoever holds it: a standby that does can take over."""
        return self._looked is not None and self._clock() - self._looked < self._settings.lease_seconds

    async def acquire(self, stop: asyncio.Event) -> bool:
        """Wait until the Lease is ours, or until told to stop; whether it is ours."""
        told = False
        while not stop.is_set():
            try:
                async with asyncio.timeout(self._settings.renew_seconds):
                    if await self._try():
                        logger.info("%s holds the Lease %s", self._identity, self._name)
                        return True
            except (ApiError, TimeoutError) as error:
                logger.warning("while looking at the Lease %s: %s", self._name, error or "timed out")
            if not told and self._seen is not None:
                logger.info("standing by: %s holds the Lease %s", self._seen.record[0], self._name)
                told = True
            await _wait(stop, self._settings.retry_seconds)
        return False

    async def keep(self) -> None:
        """Renew the Lease until cancelled.

        Raises:
            LeaseLostError: it isn't ours any more, or may not be for long.
        """
        while True:
            await asyncio.sleep(self._settings.retry_seconds)
            left = (self._renewed or 0.0) + self._settings.renew_seconds - self._clock()
            if left <= 0:
                raise LeaseLostError(
                    f"the Lease {self._name} could not be renewed for {self._settings.renew_seconds:g} s"
                )
            try:
                async with asyncio.timeout(left):
                    await self._renew()
            except ConflictError as error:
                await self._check_still_ours(error)
            except (ApiError, TimeoutError) as error:
                logger.warning("while renewing the Lease %s: %s", self._name, error or "timed out")

    async def release(self) -> None:
        """Give the Lease back, so that another operator need not wait for its end."""
        if self._lease is None or not self.holds:
            return
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        self._renewed = None
        try:
            async with asyncio.timeout(self._settings.retry_seconds):
                await self._kube.replace(LEASE, {**self._lease, "spec": spec})
        except (ApiError, TimeoutError) as error:
            logger.warning("while giving the Lease %s back: %s", self._name, error or "timed out")

    @property
    def _name(self) -> str:
        return f"{self._namespace}/{self._settings.name}"

    async def _try(self) -> bool:
        """Look at the Lease once, and take it where it is free; whether it is ours."""
        started = self._clock()
        lease = await self._kube.get(LEASE, self._namespace, self._settings.name)
        self._looked = self._clock()
        try:
            if lease is None:
                metadata = {"name": self._settings.name, "namespace": self._namespace}
                made = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata}
                lease = await self._kube.create(LEASE, {**made, "spec": self._spec({}, taken=True)})
            elif self._is_free(lease["spec"]):
                lease = await self._kube.replace(LEASE, {**lease, "spec": self._spec(lease["spec"], taken=True)})
            else:
                return False
        except ConflictError:
            return False  # somebody else was faster
        self._lease, self._renewed = lease, started
        return True

    def _is_free(self, spec: dict[str, Any]) -> bool:
        if not spec.get("holderIdentity"):
            return True
        record = (spec["holderIdentity"], spec.get("renewTime"))
        if self._seen is None or self._seen.record != record:
            self._seen = _Seen(record, self._clock())
        lasts = max(float(spec.get("leaseDurationSeconds") or 0), self._settings.lease_seconds)
        return self._clock() - self._seen.since > lasts

    async def _renew(self) -> None:
        started = self._clock()
        lease = self._lease or {}
        self._lease = await self._kube.replace(LEASE, {**lease, "spec": self._spec(lease["spec"])})
        self._renewed = self._looked = started

    async def _check_still_ours(self, error: ConflictError) -> None:
        """After a refused renewal: an answer that got lost, or a label that someone added, isn't the end."""
        lease = await self._kube.get(LEASE, self._namespace, self._settings.name)
        holder = None if lease is None else lease["spec"].get("holderIdentity")
        if holder != self._identity:
            self._renewed = None
            raise LeaseLostError(f"the Lease {self._name} belongs to {holder or 'nobody'} now") from error
        self._lease = lease

    def _spec(self, before: dict[str, Any], *, taken: bool = False) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            **before,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._settings.lease_seconds),
            "renewTime": now,
        }
        if taken:
            spec |= {"acquireTime": now, "leaseTransitions": int(before.get("leaseTransitions", -1)) + 1}
        return spec


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
