"""OpenTelemetry traces: one span a request, and inside it one for each stage. Nothing is imported without an endpoint.

Spans are made when a request is over, from the times that were taken anyway, so that the way of a request holds no
tracing code.
"""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reranker_service import __version__

log = logging.getLogger(__name__)

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE_NAME = "reranker"
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What is known of a request that is over.

    begun_at, ended_at and queued_at are on the monotonic clock; `timings` are the seconds of each stage by its name.
    """

    method: str
    route: str
    status: int
    headers: Mapping[str, str]
    begun_at: float
    ended_at: float
    queued_at: float | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, str | int] = field(default_factory=dict)


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector and does not switch tracing off."""
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(environ.get(name) for name in ENDPOINT_VARIABLES)


class Tracing:
    """Sends spans to the collector that the environment names, in the standard's own variables.

    Args:
        attributes: constants of this process, on every request's span.
    """

    def __init__(self, attributes: Mapping[str, str]) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        name = os.environ.get("OTEL_SERVICE_NAME") or SERVICE_NAME
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": name, "service.version": __version__}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("reranker_service", __version__)
        self._attributes = dict(attributes)
        log.info("traces go to %s", next(filter(None, map(os.environ.get, reversed(ENDPOINT_VARIABLES)))))

    def record(self, request: RequestRecord) -> str:
        """Make the spans of a request; returns its trace id in hexadecimal, the caller's own where it sent one."""
        from opentelemetry import propagate, trace  # noqa: PLC0415 - imported already

        clock = time.time_ns() - int(time.monotonic() * NANOSECONDS)

        def at(moment: float) -> int:
            return clock + int(moment * NANOSECONDS)

        span = self._tracer.start_span(
            f"{request.method} {request.route}",
            context=propagate.extract(request.headers),
            kind=trace.SpanKind.SERVER,
            start_time=at(request.begun_at),
            attributes={
                "http.request.method": request.method,
                "http.route": request.route,
                "http.response.status_code": request.status,
                **self._attributes,
                **request.attributes,
            },
        )
        if request.status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        if request.queued_at is not None:
            inside = trace.set_span_in_context(span)
            for name, (start, end) in stages(request.queued_at, request.timings).items():
                self._tracer.start_span(name, context=inside, start_time=at(start)).end(at(end))
        span.end(at(request.ended_at))
        return trace.format_trace_id(span.get_span_context().trace_id)

    def close(self) -> None:
        """Send what is left. Takes as long as the collector does, up to the exporter's time limit."""
        self._provider.shutdown()


def stages(queued_at: float, timings: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """(start, end) of each stage. A request is queued while it is tokenised; the engine begins when the queue ends."""
    starts: dict[str, float] = {
        "tokenize": queued_at,
        "queue": queued_at,
        "engine": queued_at + timings.get("queue", 0.0),
    }
    return {name: (start, start + timings[name]) for name, start in starts.items() if name in timings}


def create_tracing(attributes: Mapping[str, str], environ: Mapping[str, Any] = os.environ) -> Tracing | None:
    """Tracing, where the environment asks for it."""
    return Tracing(attributes) if wanted(environ) else None
