"""What can go wrong with a request, in the service's own terms; `api.errors` turns it into HTTP."""

from reranker_service.lifecycle import Phase


class InvalidRequest(ValueError):  # noqa: N818 - a name that callers read as the condition
    """The request itself must be changed. `param` names the field, `code` the kind of fault."""

    def __init__(self, message: str, *, param: str | None, code: str = "invalid_request") -> None:
        self.param = param
        self.code = code
        super().__init__(message)


class BodyTooLarge(InvalidRequest):
    """The body has more bytes than are accepted."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the request body is larger than {limit} bytes; send fewer or shorter documents",
            param=None,
            code="body_too_large",
        )


class DocumentTooLong(InvalidRequest):
    """A document does not fit and the request said not to cut it."""

    def __init__(self, field: str, index: int) -> None:
        super().__init__(
            f"{field}[{index}] is longer than the model's room for it; allow truncation or send a shorter document",
            param=f"{field}[{index}]",
            code="document_too_long",
        )


class QueueFull(RuntimeError):  # noqa: N818
    """Accepting the request would exceed a limit of what is queued. Nothing of it was accepted.

    `what` is documents or prompt tokens.
    """

    def __init__(self, *, what: str, wanted: int, queued: int, limit: int, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"{queued} {what} are queued and {wanted} more would exceed the limit of {limit}; "
            f"try again in {retry_after_s} s"
        )


class NotServing(RuntimeError):  # noqa: N818
    """The process does not take new work: it is loading, draining, or its model could not be loaded."""

    def __init__(self, phase: Phase) -> None:
        self.code = phase.value
        self.retry_after_s = 1 if phase is Phase.DRAINING else 5
        super().__init__(
            {
                Phase.LOADING: "the model is still loading",
                Phase.DRAINING: "this replica is shutting down",
                Phase.FAILED: "the model could not be loaded",
                Phase.UNPROVED: "the model did not pass its score check; GET /health says more",
            }.get(phase, phase.value)
        )


class DeadlineExceeded(RuntimeError):  # noqa: N818
    """The request was not done in time; what was left of it has been given up."""

    def __init__(self, seconds: float) -> None:
        self.retry_after_s = 1
        super().__init__(f"the documents could not be scored within {seconds:g} s")


class ClientGone(RuntimeError):  # noqa: N818
    """The client closed the connection before its answer was ready."""
