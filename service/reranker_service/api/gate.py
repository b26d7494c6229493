"""What every request passes first: is work taken now, is the body small enough, how long did it take.

An ASGI middleware rather than a framework one, because it has to see a body before it is read and a response after its
last byte, and because framework middlewares hide from a handler that its client has gone.
"""

import logging
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reranker_service.api.errors import CLIENT_CLOSED_REQUEST, Problem, problem_of
from reranker_service.api.paths import WORK_ROUTES
from reranker_service.errors import BodyTooLarge, NotServing
from reranker_service.metrics import documents_label
from reranker_service.service import RerankService

log = logging.getLogger(__name__)

REFUSALS = frozenset({"overloaded_error", "unavailable_error"})
"""Types of problems that a request meets before any work is done for it: another replica can take it."""


class BodyLimitError(HTTPException):
    """Raised while a body is read. Frameworks turn other errors at that point into a 400 of their own."""

    def __init__(self, limit: int) -> None:
        self.problem = problem_of(BodyTooLarge(limit))
        super().__init__(self.problem.status, self.problem.message)


class Gate:
    """Wraps the application.

    Args:
        app: what is behind the gate.
        service: whose lifecycle, limits and metrics count.
    """

    def __init__(self, app: ASGIApp, service: RerankService) -> None:
        self._app = app
        self._service = service
        self._limit = service.settings.server.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._service, scope, send)
        if scope["path"] not in WORK_ROUTES or scope["method"] != "POST":
            await self._guarded(exchange, receive)
            return
        self._service.lifecycle.enter()
        self._service.metrics.inflight_requests.inc()
        try:
            await self._work(exchange, receive)
        finally:
            self._service.lifecycle.leave()
            self._service.metrics.inflight_requests.dec()
            exchange.observe()

    async def _work(self, exchange: "_Exchange", receive: Receive) -> None:
        lifecycle = self._service.lifecycle
        announced = int(dict(exchange.scope["headers"]).get(b"content-length", b"0"))
        if announced > self._limit:
            await exchange.refuse(problem_of(BodyTooLarge(self._limit)), receive)
        elif not lifecycle.accepting:
            await exchange.refuse(problem_of(NotServing(lifecycle.phase)), receive)
        else:
            await self._guarded(exchange, _limited(receive, self._limit))

    async def _guarded(self, exchange: "_Exchange", receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except Exception as error:
            log.exception("a request failed unexpectedly")
            if exchange.started:
                raise  # the server can only close the connection now
            await exchange.refuse(problem_of(error), None)


class _Exchange:
    """One request and what is known of its response."""

    def __init__(self, service: RerankService, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.started = False
        self._service = service
        self._send = send
        self._begun = time.perf_counter()
        self._status = CLIENT_CLOSED_REQUEST
        scope.setdefault("state", {})

    async def send(self, message: Message) -> None:
        """Pass a message on, and tell the client not to keep its connection when this replica leaves or it is old.

        Clients that keep a connection for ever would never use a replica that was added.
        """
        if message["type"] == "http.response.start":
            self.started = True
            self._status = message["status"]
            if self._service.lifecycle.leaving or self._is_old():
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
        await self._send(message)

    async def refuse(self, problem: Problem, receive: Receive | None) -> None:
        """Answer with an error instead of the application, after taking in what the client is still sending.

        Where the connection is closed after the answer, unread data would make the client see a reset, not the answer.
        """
        self.scope["state"]["problem"] = problem
        if receive is not None:
            await _discard(receive, self._service.settings.server.max_body_bytes)
        await problem.response()(self.scope, _nothing, self.send)

    def _is_old(self) -> bool:
        connected_at: float | None = self.scope["state"].get("connected_at")
        max_age_s = self._service.settings.server.connection_max_age_s
        return connected_at is not None and time.monotonic() - connected_at > max_age_s

    def observe(self) -> None:
        """Count the request, once it is over."""
        state = self.scope["state"]
        problem: Problem | None = state.get("problem")
        if problem is not None:
            self._service.metrics.rejected_requests.labels(problem.code).inc()
        self._service.metrics.request_duration.labels(
            self.scope["path"], _outcome(self._status, problem), documents_label(state.get("documents"))
        ).observe(time.perf_counter() - self._begun)


def _outcome(status: int, problem: Problem | None) -> str:
    """Turned away unread is one thing, accepted and not answered another: alerts count the latter as failures."""
    if status < 400:
        return "ok"
    if status == CLIENT_CLOSED_REQUEST:
        return "disconnected"
    if problem is not None and problem.type in REFUSALS:
        return "refused"
    return "invalid" if status < 500 else "failed"


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive` that fails as soon as more than `limit` bytes of body have come."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyLimitError(limit)
        return message

    return counted


async def _discard(receive: Receive, limit: int) -> None:
    seen = 0
    while seen <= limit:
        message = await receive()
        seen += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
