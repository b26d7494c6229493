"""Probes and metrics over HTTP.

`/readyz`: every watch is alive and everything found at the start was looked at once. An operator that stands by is
ready as soon as it sees the Lease that it waits for.
`/livez`: restarting would not help: no pass hangs, and no watch is dead for so long that it won't come back.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reranker_operator.metrics import Metrics
from reranker_operator.watches import Watches
from reranker_operator.work_queue import WorkQueue

HUNG_PASS_SECONDS = 300.0
HOPELESS_SECONDS = 600.0
"""Not ready for this long although it runs: a restart is tried."""


class Election(Protocol):
    """What the probes ask of the leader election."""

    @property
    def holds(self) -> bool:
        """Whether this operator works."""

    @property
    def sees(self) -> bool:
        """Whether it could take over."""


class Health:
    """What the probes ask for."""

    def __init__(
        self,
        queues: Sequence[WorkQueue],
        watches: Watches,
        clock: Callable[[], float] = time.monotonic,
        election: Election | None = None,
    ) -> None:
        self._election = election
        self._queues = queues
        self._watches = watches
        self._clock = clock
        self._settled = False
        self._well = clock()

    @property
    def leads(self) -> bool:
        """Whether this operator works."""
        return self._election is None or self._election.holds

    def unready(self) -> list[str]:
        """Why the operator isn't ready; empty when it is."""
        election = self._election
        if election is not None and not election.holds:
            return self._standby(election)
        faults = self._watches.dead()
        if not faults and not self._settled:
            if pending := sum(queue.pending for queue in self._queues):
                return [f"{pending} objects have not been looked at yet"]
            self._settled = True
        if not faults:
            self._well = self._clock()
        return faults

    def _standby(self, election: Election) -> list[str]:
        if not election.sees:
            return ["the Lease can't be read"]
        self._well = self._clock()
        return []

    def dead(self) -> list[str]:
        """Why the process should be started anew; empty when it shouldn't."""
        faults = []
        longest = max((queue.longest_pass_seconds for queue in self._queues), default=0.0)
        if longest > HUNG_PASS_SECONDS:
            faults.append(f"a pass has been running for {longest:.0f} s")
        unready = self.unready()
        if unready and self._clock() - self._well > HOPELESS_SECONDS:
            faults += unready
        return faults


def application(health: Health, metrics: Metrics, watches: Watches) -> web.Application:
    """The routes."""

    async def livez(_: web.Request) -> web.Response:
        return _probe(health.dead())

    async def readyz(_: web.Request) -> web.Response:
        return _probe(health.unready())

    async def exposition(_: web.Request) -> web.Response:
        for collection, age in watches.ages().items():
            metrics.watch_age.labels(collection=collection).set(age)
        metrics.leader.set(health.leads)
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def close_connection(_: web.Request, response: web.StreamResponse) -> None:
        # When it ends, Kopf waits seconds for every task that began after it: so for idle connections, too.
        response.force_close()

    app = web.Application()
    app.on_response_prepare.append(close_connection)
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", exposition)])
    return app


def _probe(faults: list[str]) -> web.Response:
    return web.Response(text="\n".join(faults) or "ok", status=503 if faults else 200)
