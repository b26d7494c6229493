"""Domain errors as HTTP: one table, and one body that every client library can read.

Clients disagree about where the text is (`error.message`, `detail`, `message`), so it is in all three places.
"""

import logging
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from reranker_service.engines.protocol import EngineError
from reranker_service.errors import (
    BodyTooLarge,
    ClientGone,
    DeadlineExceeded,
    InvalidRequest,
    NotServing,
    QueueFull,
)
from reranker_service.scoring.ordering import InvalidScore
from reranker_service.scoring.prompts import QueryTooLong

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a client sees it. `retry_after_s` becomes the header of that name."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    retry_after_s: int | None = None

    def response(self) -> JSONResponse:
        """The superset body."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return JSONResponse(
            {"error": error, "detail": self.message, "message": self.message}, self.status, headers=headers
        )


# (error, status, type, code); the first that fits. `code`, `param` and `retry_after_s` of the error itself win.
_TABLE: tuple[tuple[type[Exception], int, str, str], ...] = (
    (BodyTooLarge, 413, "invalid_request_error", "body_too_large"),
    (InvalidRequest, 400, "invalid_request_error", "invalid_request"),
    (QueryTooLong, 422, "invalid_request_error", "query_too_long"),
    (QueueFull, 429, "overloaded_error", "queue_full"),
    (NotServing, 503, "unavailable_error", "not_serving"),
    (DeadlineExceeded, 503, "timeout_error", "deadline_exceeded"),
    (EngineError, 503, "engine_error", "engine_failed"),
    (InvalidScore, 503, "engine_error", "engine_failed"),
    (ClientGone, CLIENT_CLOSED_REQUEST, "client_error", "client_gone"),
)


def problem_of(error: Exception) -> Problem:
    """How an error looks to a client; what is not in the table is a 500 without details."""
    known = getattr(error, "problem", None)
    if isinstance(known, Problem):
        return known
    for kind, status, type_, code in _TABLE:
        if isinstance(error, kind):
            return Problem(
                status,
                type_,
                getattr(error, "code", code),
                f"the engine failed: {error}" if type_ == "engine_error" else str(error),
                param="query" if isinstance(error, QueryTooLong) else getattr(error, "param", None),
                retry_after_s=getattr(error, "retry_after_s", 1 if status == 503 else None),
            )
    if isinstance(error, HTTPException):
        return Problem(error.status_code, "invalid_request_error", "http_error", str(error.detail))
    return Problem(500, "server_error", "internal_error", "an unexpected error occurred; the server's log says more")


def problem_of_validation(error: RequestValidationError) -> Problem:
    """The first thing that is wrong with a body, with its field and what to send instead."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    location = [part for part in first["loc"] if part != "body"]
    if "index" in context:
        location.append(context["index"])
    if first["type"] == "json_invalid":
        reason = context.get("error", "")
        return Problem(400, "invalid_request_error", "invalid_json", f"the body is not valid JSON: {reason}")
    param = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    message = _VALIDATION_ADVICE.get(first["type"], str(first["msg"]))
    if not param:
        return Problem(
            400,
            "invalid_request_error",
            "invalid_request",
            f"the body must be a JSON object with query and documents: {message}",
        )
    return Problem(400, "invalid_request_error", "invalid_request", f"{param}: {message}", param=param)


_VALIDATION_ADVICE = {
    "missing": "this field is required",
    "string_type": "must be a string",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
}


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of `app`'s routes leave in the superset body, and note it for the metrics."""

    async def on_error(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of_validation(error) if isinstance(error, RequestValidationError) else problem_of(error)
        if problem.type == "engine_error":
            log.error("a request failed in the engine: %s", error)
        request.state.problem = problem
        return problem.response()

    for kind in (RequestValidationError, HTTPException, *(row[0] for row in _TABLE)):
        app.add_exception_handler(kind, on_error)
