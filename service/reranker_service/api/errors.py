"""Domain errors as HTTP: one table, and one body that every client library can read.

Clients disagree about where the text is (`error.message`, `detail`, `message`), so it is in all three places.
Infinity's client reads a 422's `detail` as FastAPI's list of faults, so on its paths it is one. TEI's clients get TEI's
own form.
"""

import logging
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from reranker_service.api import tei
from reranker_service.api.paths import INFINITY_PATHS, RERANK_PATHS
from reranker_service.api.shapes import SHAPES, shape_of
from reranker_service.engines.protocol import EngineError
from reranker_service.errors import (
    BodyTooLarge,
    ClientGone,
    DeadlineExceeded,
    DocumentTooLong,
    InvalidRequest,
    NotServing,
    QueueFull,
)
from reranker_service.scoring.ordering import InvalidScore
from reranker_service.scoring.prompts import QueryTooLong

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499


class ErrorDetail(BaseModel):
    """What went wrong, in the form OpenAI's clients read."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorResponse(BaseModel):
    """The same text in the three places that client libraries look for it."""

    error: ErrorDetail
    detail: str | list[dict[str, Any]] = Field(
        description="The text; a list with status 422 on /rerank and /infinity/rerank."
    )
    message: str


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "The request has to be changed; `param` names the field"},
    401: {"model": ErrorResponse, "description": "The API key is missing or wrong, where keys are configured"},
    413: {"model": ErrorResponse, "description": "The body is too large"},
    422: {
        "model": ErrorResponse | tei.TeiError,
        "description": "The query leaves no room for a document, or a document is too long and must not be cut. "
        "A TEI body's faults are 422 all of them, in TEI's form",
    },
    429: {"model": ErrorResponse, "description": "Too much is queued; see Retry-After"},
    500: {"model": ErrorResponse, "description": "A fault of the server's own; its log says more"},
    503: {"model": ErrorResponse, "description": "Loading, draining, out of time, or the engine failed"},
}


Form = Literal["shared", "infinity", "tei"]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a client sees it. `retry_after_s` becomes the header of that name."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    retry_after_s: int | None = None

    def response(self, form: Form = "shared") -> JSONResponse:
        """The body in a form that the client reads."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if form == "tei":
            status, body = tei.error_body(self.type, self.code, self.status, self.message)
            return JSONResponse(body, status, headers=headers)
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        detail: Any = self.message
        if form == "infinity" and self.status == 422:
            detail = [{"loc": ["body", self.param], "msg": self.message, "type": self.code}]
        return JSONResponse({"error": error, "detail": detail, "message": self.message}, self.status, headers=headers)


# (error, status, type, code); the first that fits. `code`, `param` and `retry_after_s` of the error itself win.
_TABLE: tuple[tuple[type[Exception], int, str, str], ...] = (
    (BodyTooLarge, 413, "invalid_request_error", "body_too_large"),
    (DocumentTooLong, 422, "invalid_request_error", "document_too_long"),
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
                param=getattr(error, "param", None),
                retry_after_s=getattr(error, "retry_after_s", 1 if status == 503 else None),
            )
    if isinstance(error, HTTPException):
        return Problem(error.status_code, "invalid_request_error", "http_error", str(error.detail))
    return Problem(500, "server_error", "internal_error", "an unexpected error occurred; the server's log says more")


def problem_of_validation(error: RequestValidationError) -> Problem:
    """The first thing that is wrong with a body, with its field and what to send instead."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    kind = "invalid_request_error"
    if first["type"] == "json_invalid":
        reason = context.get("error", "")
        return Problem(400, kind, "invalid_json", f"the body is not valid JSON: {reason}")
    if not isinstance(error.body, dict):
        return Problem(400, kind, "invalid_request", _NO_OBJECT)
    location = [context["param"]] if "param" in context else list(first["loc"][1:])
    if location[:1] and location[0] in SHAPES:
        del location[0]
    if "index" in context:
        location.append(context["index"])
    param = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    code = "no_documents" if first["type"] == "no_documents" else "invalid_request"
    advice = _VALIDATION_ADVICE.get(first["type"], str(first["msg"]))
    return Problem(400, kind, code, f"{param}: {advice}", param=param)


_NO_OBJECT = (
    "the body must be a JSON object, such as one with query and documents, sent with Content-Type: application/json"
)
_VALIDATION_ADVICE = {
    "missing": "this field is required",
    "string_type": "must be a string",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "list_type": "must be a list",
}


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of `app`'s routes leave in the superset body, and note it for the metrics."""

    async def on_error(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of_validation(error) if isinstance(error, RequestValidationError) else problem_of(error)
        if problem.type == "engine_error":
            log.error("a request failed in the engine: %s", error)
        request.state.problem = problem
        return problem.response(_form(request, error))

    for kind in (RequestValidationError, HTTPException, *(row[0] for row in _TABLE)):
        app.add_exception_handler(kind, on_error)


def _form(request: Request, error: Exception) -> Form:
    path = request.url.path
    if isinstance(error, RequestValidationError):
        speaks_tei = path in RERANK_PATHS and shape_of(error.body) == "TEI"
    else:
        speaks_tei = getattr(request.state, "speaks_tei", False)
    if speaks_tei:
        return "tei"
    return "infinity" if path in INFINITY_PATHS else "shared"
