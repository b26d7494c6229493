"""What a request leaves behind in logs and headers, and what it never does: a word of its texts."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.service.conftest import App, RunApp
from tests.unit.service.scripted import ScriptedEngine

from reranker_service.api.exchange import request_id, server_timing
from reranker_service.engines.protocol import EngineError
from reranker_service.logs import JsonFormatter, TextFormatter, configure_logging, where

SECRET = "confidentialzebra"
WORK = "reranker_service.api.exchange"

pytestmark = pytest.mark.anyio


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that any logger writes, down to debug, as the program formats it; the test's own client is none."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(lambda record: not record.name.startswith("httpx"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def requests(stream: io.StringIO) -> list[dict[str, Any]]:
    return [entry for line in stream.getvalue().splitlines() if (entry := json.loads(line))["logger"] == WORK]


async def test_a_request_is_one_line_with_its_figures(run_app: RunApp, lines: io.StringIO) -> None:
    async with run_app() as app:
        answer = await app.rerank(["a", "b", "b"])
    (entry,) = requests(lines)
    assert (entry["level"], entry["message"], entry["method"], entry["route"]) == ("info", "request", "POST", "/rerank")
    assert (entry["status"], entry["documents"]) == (200, 3)
    assert entry["tokens"] == answer.json()["usage"]["prompt_tokens"] > 0
    assert entry["request_id"] == answer.headers["X-Request-Id"]
    assert 0 < entry["engine_ms"] <= entry["duration_ms"]
    assert {"queue_ms", "tokenize_ms"} <= entry.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


async def test_an_error_is_logged_with_its_code(run_app: RunApp, lines: io.StringIO) -> None:
    async with run_app() as app:
        await app.rerank([])
    (entry,) = requests(lines)
    assert (entry["status"], entry["code"]) == (400, "no_documents")


async def test_probes_and_scrapes_leave_no_line(run_app: RunApp, lines: io.StringIO) -> None:
    async with run_app() as app:
        for path in ("/livez", "/readyz", "/health", "/metrics"):
            await app.client.get(path)
        await app.client.get("/v1/models")
    assert [entry["route"] for entry in requests(lines)] == ["/v1/models"]


async def test_a_path_that_is_no_route_is_not_repeated(run_app: RunApp, lines: io.StringIO) -> None:
    async with run_app() as app:
        await app.client.get(f"/{SECRET}?q={SECRET}")
    assert [(entry["route"], entry["status"]) for entry in requests(lines)] == [("unmatched", 404)]


async def bad_requests(app: App) -> None:
    """Every way in which a request with texts can go wrong."""
    client = app.client
    await client.post("/rerank", content=f'{{"query": "{SECRET}", "documents": ["{SECRET}"'.encode())
    await client.post("/rerank", json={"query": SECRET, "documents": SECRET})
    await client.post("/rerank", json={"query": SECRET, "documents": [{SECRET: SECRET}]})
    await client.post("/rerank", json={"query": SECRET, "documents": [SECRET], "top_n": SECRET})
    await client.post("/rerank", json={"query": SECRET * 100, "documents": [SECRET]})
    await client.post("/rerank", json={"query": SECRET, "texts": [f"{SECRET} " * 500], "truncate": False})
    await client.post("/rerank", json={"query": SECRET, "documents": [SECRET] * 20})
    await client.post(f"/rerank?query={SECRET}", json={"query": SECRET, "documents": [SECRET]})
    await client.post("/score", json={"text_1": SECRET, "text_2": [SECRET, f"{SECRET} 2"], "instruction": SECRET})
    app.engine.fail = lambda _: EngineError("on purpose")
    await client.post("/rerank", json={"query": SECRET, "documents": [SECRET]})
    app.engine.fail = lambda _: RuntimeError("on purpose")
    await client.post("/rerank", json={"query": SECRET, "documents": [SECRET]})
    app.engine.fail = lambda _: None
    app.engine.rule = lambda _: float("nan")
    await client.post("/rerank", json={"query": SECRET, "documents": [SECRET]})


async def test_no_text_of_a_request_is_ever_logged(run_app: RunApp, lines: io.StringIO) -> None:
    async with run_app(ScriptedEngine(), max_documents=10) as app:
        await bad_requests(app)
        app.service.rank = unexpected  # type: ignore[method-assign]
        answer = await app.client.post("/rerank", json={"query": SECRET, "documents": [SECRET]})
    assert answer.status_code == 500
    assert SECRET not in answer.text
    entries = [entry for entry in requests(lines) if entry["route"] in {"/rerank", "/score"}]
    assert len(entries) == 13
    assert {entry["status"] for entry in entries} >= {200, 400, 422, 500, 503}
    assert "ValueError at " in lines.getvalue()
    assert SECRET not in lines.getvalue()


async def unexpected(question: Any) -> Any:
    raise ValueError(f"a library quotes {question.pairs}")


async def test_the_stages_are_in_the_answers_header_in_milliseconds(run_app: RunApp) -> None:
    async with run_app() as app:
        answer = await app.rerank(["a"])
        failed = await app.rerank([])
        probe = await app.client.get("/health")
    found = re.fullmatch(
        r"queue;dur=([\d.]+), tokenize;dur=([\d.]+), engine;dur=([\d.]+), total;dur=([\d.]+)",
        answer.headers["Server-Timing"],
    )
    assert found is not None
    queue, _, engine, total = map(float, found.groups())
    assert 0 < queue + engine <= total
    assert re.fullmatch(r"total;dur=[\d.]+", failed.headers["Server-Timing"])
    assert "Server-Timing" not in probe.headers


def test_server_timing_is_in_milliseconds() -> None:
    timings = {"tokenize": 0.0012, "queue": 0.0000004, "engine": 1.5}
    assert server_timing(timings, 2.0) == "queue;dur=0.0, tokenize;dur=1.2, engine;dur=1500.0, total;dur=2000.0"


async def test_a_clients_request_id_comes_back(run_app: RunApp) -> None:
    async with run_app() as app:
        for path in ("/health", "/nothing"):
            answer = await app.client.get(path, headers={"X-Request-Id": "client-7:a/b"})
            assert answer.headers["X-Request-Id"] == "client-7:a/b"


@pytest.mark.parametrize("given", [None, "", "a b", "a\tb", 'a"b', "é", "x" * 129, "a\x1b[31m"])
def test_an_id_that_could_harm_is_replaced(given: str | None) -> None:
    made = request_id(given)
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert made != request_id(given)


def record(**extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("a.b", logging.WARNING, "file", 1, "two\nlines of %s", ("text",), None)
    vars(made).update(extra)
    return made


def test_json_records_are_one_line_each_with_their_fields() -> None:
    line = JsonFormatter().format(record(fields={"status": 200, "route": "/rerank"}))
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("warning", "a.b", "two\nlines of text")
    assert (entry["status"], entry["route"]) == (200, "/rerank")


def test_text_records_are_one_line_each_with_their_fields_behind() -> None:
    line = TextFormatter().format(record(fields={"status": 200, "route": "/rerank"}))
    assert line.endswith("WARNING a.b: two\\nlines of text status=200 route=/rerank")


def test_where_names_the_places_and_not_the_message() -> None:
    try:
        json.loads(SECRET)
    except ValueError as error:
        told = where(error)
    assert told.startswith("JSONDecodeError at ")
    assert "decoder.py" in told
    assert SECRET not in told


@pytest.mark.parametrize(("log_format", "first"), [("json", "{"), ("text", "2")])
def test_the_format_is_the_configured_one(log_format: Any, first: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging("info", log_format)
        logging.getLogger("reranker_service.x").info("hello")
        logging.getLogger("library").info("not shown")
        (line,) = capsys.readouterr().err.splitlines()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        logging.getLogger("reranker_service").setLevel(logging.NOTSET)
    assert line.startswith(first)
    assert "hello" in line
