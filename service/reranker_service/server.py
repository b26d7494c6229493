"""uvicorn with a drain that loses no request.

Stock uvicorn closes its listener the moment SIGTERM arrives, while every node of the cluster still sends new
connections here for seconds. This server first goes on as before but for `Connection: close` and a failing readiness
probe, then refuses new work with 503 while it finishes the old, and only then closes the listener.
"""

import asyncio
import logging
import signal
import time
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from reranker_service.service import RerankService

log = logging.getLogger(__name__)

# Longer than the idle time after which common clients and proxies drop a connection themselves, so that it is not the
# server that closes one just as the next request is written to it.
KEEP_ALIVE_S = 75
# How long requests that were given up may take to send their error.
LAST_WORDS_S = 1.0


class DatedProtocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]
    """uvicorn's protocol, which also tells each request since when its connection has been open."""

    app_state: dict[str, Any]

    def connection_made(self, transport: Any) -> None:
        """A client has connected; what is put into `app_state` is each request's `state`."""
        self.app_state = {**self.app_state, "connected_at": time.monotonic()}
        super().connection_made(transport)


class DrainingServer(uvicorn.Server):
    """Serves one application until it has drained, or until its model can't be loaded."""

    def __init__(self, app: FastAPI) -> None:
        self._service: RerankService = app.state.service
        self._signals = asyncio.Queue[int]()
        self._loop: asyncio.AbstractEventLoop | None = None
        server = self._service.settings.server
        super().__init__(
            uvicorn.Config(
                app,
                host=server.host,
                port=server.port,
                http=DatedProtocol,
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(LAST_WORDS_S) + 1,
            )
        )

    async def _serve(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        drain = asyncio.create_task(self._drain())
        try:
            await super()._serve(sockets)  # type: ignore[arg-type]
        finally:
            drain.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come: begin to drain; a second one ends the drain. Called between any two instructions."""
        del frame
        if self._loop is None:
            self.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self._signals.put_nowait, sig)

    async def _drain(self) -> None:
        server, lifecycle = self._service.settings.server, self._service.lifecycle
        first = await self._signals.get()
        was_accepting = lifecycle.accepting
        lifecycle.drain()
        if was_accepting and first == signal.SIGTERM and server.drain_accept_s:
            log.info("draining: new requests are accepted for %g s more", server.drain_accept_s)
            await self._signal_within(server.drain_accept_s)
        lifecycle.stop_accepting()
        log.info("draining: finishing %d requests, at most %g s", lifecycle.inflight, server.drain_timeout_s)
        if not await self._idle_within(server.drain_timeout_s):
            log.warning("draining: giving up %d requests", lifecycle.inflight)
            self._service.abort()
            await self._idle_within(LAST_WORDS_S)
        self.should_exit = True

    async def _signal_within(self, seconds: float) -> bool:
        """Wait for a further signal."""
        try:
            async with asyncio.timeout(seconds):
                await self._signals.get()
        except TimeoutError:
            return False
        self._signals.put_nowait(signal.SIGTERM)  # the next wait is to end at once, too
        return True

    async def _idle_within(self, seconds: float) -> bool:
        """Wait until no request is open, for so long at most, or until a further signal."""
        idle = asyncio.create_task(self._service.lifecycle.idle())
        hurry = asyncio.create_task(self._signals.get())
        done, _ = await asyncio.wait({idle, hurry}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        hurry.cancel()
        return idle in done
