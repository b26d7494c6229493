"""What every request passes first: may this client ask, is work taken now, is the body small enough.

An ASGI middleware rather than a framework one, because it has to see a body before it is read and a response after its
last byte, and because framework middlewares hide from a handler that its client has gone.
"""

import logging

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reranker_service.api.errors import Problem, problem_of
from reranker_service.api.exchange import Exchange
from reranker_service.api.paths import METRICS_PATH, OPEN_ROUTES
from reranker_service.auth import KeyFile
from reranker_service.errors import BodyTooLarge, NotServing
from reranker_service.logs import where
from reranker_service.service import RerankService
from reranker_service.tracing import Tracing

log = logging.getLogger(__name__)

NO_KEY = Problem(
    401, "authentication_error", "missing_api_key", "an API key is needed: send it as Authorization: Bearer <key>"
)
WRONG_KEY = Problem(401, "authentication_error", "invalid_api_key", "this API key is not known here")


class BodyLimitError(HTTPException):
    """Raised while a body is read. Frameworks turn other errors at that point into a 400 of their own."""

    def __init__(self, limit: int) -> None:
        self.problem = problem_of(BodyTooLarge(limit))
        super().__init__(self.problem.status, self.problem.message)


class BrokenResponseError(RuntimeError):
    """A response failed after it had begun. Says no more: the server logs it with what it was caused by."""


class Gate:
    """Wraps the application.

    Args:
        app: what is behind the gate.
        service: whose lifecycle, limits and metrics count.
        keys: who may ask; None for everybody.
        tracing: where requests are traced to, if anywhere.
    """

    def __init__(self, app: ASGIApp, service: RerankService, keys: KeyFile | None, tracing: Tracing | None) -> None:
        self._app = app
        self._service = service
        self._keys = keys
        self._tracing = tracing
        self._limit = service.settings.server.max_body_bytes
        self._open = OPEN_ROUTES if service.settings.server.metrics_auth else OPEN_ROUTES | {METRICS_PATH}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(self._service, self._tracing, scope, send)
        try:
            if exchange.is_work:
                await self._counted(exchange, receive)
            else:
                await self._answer(exchange, receive)
        finally:
            exchange.finish()

    async def _counted(self, exchange: Exchange, receive: Receive) -> None:
        self._service.lifecycle.enter()
        self._service.metrics.inflight_requests.inc()
        try:
            await self._answer(exchange, receive)
        finally:
            self._service.lifecycle.leave()
            self._service.metrics.inflight_requests.dec()

    async def _answer(self, exchange: Exchange, receive: Receive) -> None:
        problem = self._refusal(exchange)
        if problem is not None:
            await exchange.refuse(problem, receive)
        else:
            await self._guarded(exchange, _limited(receive, self._limit) if exchange.is_work else receive)

    def _refusal(self, exchange: Exchange) -> Problem | None:
        """Why the request is not let in, if it is not."""
        if self._keys is not None and exchange.scope["path"] not in self._open:
            authorization = exchange.headers.get("authorization")
            if authorization is None:
                return NO_KEY
            if not self._keys.accepts(authorization):
                return WRONG_KEY
        if not exchange.is_work:
            return None
        lifecycle = self._service.lifecycle
        if int(exchange.headers.get("content-length", "0")) > self._limit:
            return problem_of(BodyTooLarge(self._limit))
        return None if lifecycle.accepting else problem_of(NotServing(lifecycle.phase))

    async def _guarded(self, exchange: Exchange, receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - logged without its message, which may quote a client's text
            log.error("a request failed unexpectedly: %s", where(error))  # noqa: TRY400 - the same
            if exchange.started:
                # The server can only close the connection now.
                raise BrokenResponseError("the response had begun already") from None
            await exchange.refuse(problem_of(error), None)


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
