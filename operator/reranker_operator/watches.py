"""Whether Kopf's watches are alive, told from the HTTP requests that they make.

Kopf doesn't say so itself, and a watch that has silently ended is the classic way for an operator to look well and do
nothing. Each watch is opened anew at least every `SERVER_TIMEOUT_SECONDS`, so one that wasn't for longer is dead.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import aiohttp

SERVER_TIMEOUT_SECONDS = 120
"""How long the API server keeps one watch open."""
STALE_SECONDS = SERVER_TIMEOUT_SECONDS + 60
"""A watch that was last opened longer ago than this is dead."""
FAILING_SECONDS = 30
"""A watch that can't be opened for this long is dead."""


@dataclass
class _Watch:
    opened: float | None = None
    failing_since: float | None = None


@dataclass
class Watches:
    """The watches of these collections, by their URL paths."""

    paths: Iterable[str]
    clock: Callable[[], float] = time.monotonic
    _watches: dict[str, _Watch] = field(init=False)

    def __post_init__(self) -> None:
        self._watches = {path: _Watch() for path in self.paths}

    def trace(self) -> aiohttp.TraceConfig:
        """What a session needs for its watches to be seen."""
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._on_end)
        config.on_request_exception.append(self._on_exception)
        return config

    def opened(self, path: str) -> None:
        """A watch of the collection was opened."""
        if path in self._watches:
            self._watches[path] = _Watch(opened=self.clock())

    def failed(self, path: str) -> None:
        """A watch of the collection could not be opened."""
        watch = self._watches.get(path)
        if watch is not None and watch.failing_since is None:
            watch.failing_since = self.clock()

    def dead(self) -> list[str]:
        """The collections that are not watched; a sentence each."""
        return [fault for path, watch in self._watches.items() if (fault := self._fault(path, watch)) is not None]

    def ages(self) -> dict[str, float]:
        """Seconds since each watch was opened, of those that ever were."""
        now = self.clock()
        return {path: now - watch.opened for path, watch in self._watches.items() if watch.opened is not None}

    def _fault(self, path: str, watch: _Watch) -> str | None:
        now = self.clock()
        if watch.opened is None:
            return f"{path} has not been watched yet"
        if watch.failing_since is not None and now - watch.failing_since > FAILING_SECONDS:
            return f"{path} can't be watched for {now - watch.failing_since:.0f} s"
        if now - watch.opened > STALE_SECONDS:
            return f"{path} was last watched {now - watch.opened:.0f} s ago"
        return None

    async def _on_end(self, _session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
        if params.url.query.get("watch") == "true":
            (self.opened if params.response.status == 200 else self.failed)(params.url.path)

    async def _on_exception(
        self, _session: object, _context: object, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if params.url.query.get("watch") == "true":
            self.failed(params.url.path)
