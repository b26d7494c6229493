"""One request and its response, seen from outside the application: identity, headers, and what is reported of it."""

import logging
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from reranker_service.api.errors import CLIENT_CLOSED_REQUEST, Problem
from reranker_service.api.paths import PROBE_ROUTES, WORK_ROUTES
from reranker_service.metrics import documents_label
from reranker_service.service import RerankService
from reranker_service.tracing import RequestRecord, Tracing

log = logging.getLogger(__name__)

# What may stand in a log line, a header and a span as it came from outside; anything else gets an id of ours.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
CHALLENGE = 'Bearer realm="reranker"'
STAGES = ("queue", "tokenize", "engine")
REFUSALS = frozenset({"overloaded_error", "unavailable_error"})
"""Types of problems that a request meets before any work is done for it: another replica can take it."""


class Exchange:
    """One request and what is known of its response.

    Handlers leave in the request's state: `documents` and `tokens` (how many), `timings` (seconds by stage),
    `queued_at` (on the monotonic clock) and `problem` (the error that was answered).
    """

    def __init__(self, service: RerankService, tracing: Tracing | None, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.started = False
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._service = service
        self._tracing = tracing
        self._send = send
        self._begun = time.monotonic()
        self._status = CLIENT_CLOSED_REQUEST
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self.request_id = request_id(self.headers.get("x-request-id"))

    @property
    def is_work(self) -> bool:
        """Whether it asks for documents to be ranked."""
        return self.scope["path"] in WORK_ROUTES and self.scope["method"] == "POST"

    async def send(self, message: Message) -> None:
        """Pass a message on, with our headers on its first part."""
        if message["type"] == "http.response.start":
            self.started = True
            self._status = message["status"]
            message["headers"] = [*message.get("headers", []), *self._response_headers()]
        await self._send(message)

    def _response_headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", self.request_id.encode())]
        if self.is_work:
            headers.append((b"server-timing", server_timing(self._timings, time.monotonic() - self._begun).encode()))
        # Clients that keep a connection for ever would never use a replica that was added.
        if self._service.lifecycle.leaving or self._is_old():
            headers.append((b"connection", b"close"))
        return headers

    @property
    def _timings(self) -> Mapping[str, float]:
        timings: Mapping[str, float] = self._state.get("timings", {})
        return timings

    async def refuse(self, problem: Problem, receive: Receive | None) -> None:
        """Answer with an error instead of the application, after taking in what the client is still sending.

        Where the connection is closed after the answer, unread data would make the client see a reset, not the answer.
        """
        self._state["problem"] = problem
        if receive is not None:
            await _discard(receive, self._service.settings.server.max_body_bytes)
        response = problem.response()
        if problem.status == 401:
            response.headers["WWW-Authenticate"] = CHALLENGE
        await response(self.scope, _nothing, self.send)

    def _is_old(self) -> bool:
        connected_at: float | None = self._state.get("connected_at")
        max_age_s = self._service.settings.server.connection_max_age_s
        return connected_at is not None and time.monotonic() - connected_at > max_age_s

    def finish(self) -> None:
        """Count, trace and log the request, once it is over."""
        ended = time.monotonic()
        if self.is_work:
            self._count(ended - self._begun)
        if self.scope["path"] in PROBE_ROUTES:
            return
        trace_id = self._tracing.record(self._record(ended)) if self._tracing is not None else None
        log.info("request", extra={"fields": self._fields(ended - self._begun, trace_id)})

    def _count(self, seconds: float) -> None:
        problem: Problem | None = self._state.get("problem")
        if problem is not None:
            self._service.metrics.rejected_requests.labels(problem.code).inc()
        self._service.metrics.request_duration.labels(
            self.scope["path"], outcome(self._status, problem), documents_label(self._state.get("documents"))
        ).observe(seconds)

    def _route(self) -> str:
        """The route's own path: what a client wrote in its place is nobody's business."""
        if self.scope["path"] in WORK_ROUTES:
            return str(self.scope["path"])
        return str(getattr(self.scope.get("route"), "path", "unmatched"))

    def _record(self, ended: float) -> RequestRecord:
        counts = {f"reranker.{name}": self._state[name] for name in ("documents", "tokens") if name in self._state}
        return RequestRecord(
            method=self.scope["method"],
            route=self._route(),
            status=self._status,
            headers=self.headers,
            begun_at=self._begun,
            ended_at=ended,
            queued_at=self._state.get("queued_at"),
            timings=self._timings,
            attributes={"reranker.request_id": self.request_id, **counts},
        )

    def _fields(self, seconds: float, trace_id: str | None) -> dict[str, Any]:
        problem: Problem | None = self._state.get("problem")
        fields = {
            "request_id": self.request_id,
            "trace_id": trace_id,
            "method": self.scope["method"],
            "route": self._route(),
            "status": self._status,
            "code": problem.code if problem is not None else None,
            "documents": self._state.get("documents"),
            "tokens": self._state.get("tokens"),
            "duration_ms": milliseconds(seconds),
            **{f"{name}_ms": milliseconds(self._timings[name]) for name in STAGES if name in self._timings},
        }
        return {name: value for name, value in fields.items() if value is not None}


def request_id(given: str | None) -> str:
    """The client's id for its request where it is harmless, else a new one."""
    return given if given is not None and REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def server_timing(timings: Mapping[str, float], total: float) -> str:
    """The header's value, in milliseconds: `queue;dur=0.4, tokenize;dur=1.2, engine;dur=9.8, total;dur=12.1`."""
    stages = {name: timings[name] for name in STAGES if name in timings} | {"total": total}
    return ", ".join(f"{name};dur={milliseconds(seconds)}" for name, seconds in stages.items())


def milliseconds(seconds: float) -> float:
    """To the microsecond: more digits would claim what no clock here knows."""
    return round(seconds * 1000, 3)


def outcome(status: int, problem: Problem | None) -> str:
    """What became of a request, as a label.

    Turned away unread is one thing, accepted and not answered another, though both may be a 503: alerts count the
    latter as failures.
    """
    if status < 400:
        return "ok"
    if status == CLIENT_CLOSED_REQUEST:
        return "disconnected"
    if problem is not None and problem.type in REFUSALS:
        return "refused"
    return "invalid" if status < 500 else "failed"


async def _discard(receive: Receive, limit: int) -> None:
    seen = 0
    while seen <= limit:
        message = await receive()
        seen += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
