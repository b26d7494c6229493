"""Where the process stands between start and exit, seen by probes, by requests and by the drain."""

import asyncio
from enum import StrEnum


class Phase(StrEnum):
    """The words that `/health` shows."""

    LOADING = "loading"
    READY = "ok"
    DRAINING = "draining"
    FAILED = "failed"
    UNPROVED = "score_check_failed"


class Lifecycle:
    """One process's phase, its open requests, and whether new ones are still let in. Event loop only.

    A drain has two parts: first `phase` is DRAINING while `accepting` stays true, because clients go on sending until
    every node has heard that this replica is leaving; then `accepting` turns false.
    """

    def __init__(self) -> None:
        self.phase = Phase.LOADING
        self.failure: BaseException | None = None
        self.accepting = False
        self.inflight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def ready(self) -> None:
        """The model is loaded and warm. A drain that began meanwhile stays a drain."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY
            self.accepting = True

    def refuse(self) -> None:
        """The model is loaded but did not rank as it should: it stays up, to be looked at, and takes no work."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.UNPROVED

    def fail(self, error: BaseException) -> None:
        """The model can't be loaded; nothing will ever be accepted."""
        self.phase = Phase.FAILED
        self.failure = error
        self.accepting = False

    def drain(self) -> None:
        """Leave: not ready any more, but requests are still let in."""
        if self.phase is not Phase.FAILED:
            self.phase = Phase.DRAINING

    def stop_accepting(self) -> None:
        """New requests are refused from now on."""
        self.accepting = False

    @property
    def leaving(self) -> bool:
        """Whether clients should open their next connection elsewhere."""
        return self.phase in (Phase.DRAINING, Phase.FAILED)

    def enter(self) -> None:
        """A request that carries work has come in."""
        self.inflight += 1
        self._idle.clear()

    def leave(self) -> None:
        """Its response has been sent, or its client is gone."""
        self.inflight -= 1
        if self.inflight == 0:
            self._idle.set()

    async def idle(self) -> None:
        """Return as soon as no request is open."""
        await self._idle.wait()
