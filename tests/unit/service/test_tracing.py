"""Traces: what a collector receives, and that nothing is loaded where there is none."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.unit.service.conftest import RunApp

from reranker_service.tracing import stages, wanted

pytestmark = pytest.mark.anyio

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """An OTLP/HTTP receiver: keeps every span it is sent, and the resource they come from."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, str] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.receive(self.path, body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def receive(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource |= {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    running = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    yield running
    running.close()


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}


async def test_a_request_is_a_span_with_its_stages_inside(run_app: RunApp, collector: Collector) -> None:
    async with run_app() as app:
        answer = await app.client.post(
            "/v1/rerank",
            json={"query": "confidentialzebra", "documents": ["confidentialzebra 1", "b"]},
            headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "X-Request-Id": "r-1"},
        )
        assert answer.status_code == 200
    # The application has ended, so that everything has been sent.
    spans = {span.name: span for span in collector.spans}
    assert spans.keys() == {"POST /v1/rerank", "tokenize", "queue", "engine"}
    whole = spans.pop("POST /v1/rerank")
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert whole.kind == Span.SPAN_KIND_SERVER
    for span in spans.values():
        assert (span.trace_id, span.parent_span_id) == (whole.trace_id, whole.span_id)
        assert whole.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= whole.end_time_unix_nano
    assert spans["queue"].end_time_unix_nano == spans["engine"].start_time_unix_nano
    found = attributes(whole)
    assert found["http.route"] == "/v1/rerank"
    assert (found["http.response.status_code"], found["reranker.documents"]) == (200, 2)
    assert found["reranker.tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert (found["reranker.backend"], found["reranker.request_id"]) == ("qwen3_vllm_score", "r-1")
    assert "confidentialzebra" not in str(collector.spans)
    assert collector.resource["service.name"] == "reranker"


async def test_a_failed_request_is_marked_and_a_probe_is_no_span(run_app: RunApp, collector: Collector) -> None:
    async with run_app() as app:
        app.engine.fail = lambda _: RuntimeError("on purpose")
        assert (await app.rerank(["a"])).status_code == 503
        await app.client.get("/readyz")
    (span,) = collector.spans
    assert span.name == "POST /rerank"
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert not span.parent_span_id


async def test_the_log_line_names_the_trace(
    run_app: RunApp, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with run_app() as app:
        await app.rerank(["a"])
    (fields,) = [record.fields for record in caplog.records if hasattr(record, "fields")]
    whole = next(span for span in collector.spans if span.name == "POST /rerank")
    assert fields["trace_id"] == whole.trace_id.hex()


async def test_the_environments_names_of_service_and_resource_hold(
    run_app: RunApp, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "products")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.namespace.name=shop")
    async with run_app() as app:
        await app.rerank(["a"])
    assert collector.resource["service.name"] == "products"
    assert collector.resource["k8s.namespace.name"] == "shop"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_tracing_is_on_when_the_environment_names_a_collector(environ: dict[str, str], expected: bool) -> None:
    assert wanted(environ) is expected


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    program = (
        "import sys; from reranker_service.app import create_app; from reranker_service.tracing import create_tracing;"
        "assert create_tracing({}) is None; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_request_is_tokenised_while_it_is_queued_and_then_in_the_engine() -> None:
    assert stages(10.0, {"tokenize": 0.5, "queue": 1.0, "engine": 2.0}) == {
        "tokenize": (10.0, 10.5), "queue": (10.0, 11.0), "engine": (11.0, 13.0),
    }  # fmt: skip
    assert stages(10.0, {}) == {}
