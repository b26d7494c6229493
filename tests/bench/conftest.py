"""A real HTTP server that misbehaves on order, and the real command line run against it.

The faults are those that a healthy service can't be made to show: a lost answer, a broken connection, nonsense with
status 200. What the tool does against the service itself is tested where the service runs.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hack.ports import free_port

BENCH = (sys.executable, "-m", "reranker_bench.cli")


@dataclass
class Script:
    """What the server does: request number (from 1, warm-ups included) to fault, and what `/health` answers."""

    faults: Mapping[int, str] = field(default_factory=dict)
    delay_s: float = 0.0
    health: list[tuple[int, Any]] = field(
        default_factory=lambda: [(200, {"status": "ok", "backend": "qwen3_vllm", "instruction_format": "compact"})]
    )
    """Answers in turn; the last one for ever."""
    metrics: list[str] | None = None
    """What `/metrics` answers, in turn; None: there is none."""
    models: list[str] = field(default_factory=list)
    """What `/v1/models` names."""
    key: str | None = None
    """Wanted as Bearer token with every POST."""
    rank: Callable[[str, list[str]], list[float]] = lambda _, documents: [0.5] * len(documents)
    """The scores of the documents for a query."""


class FaultyServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.busy = 0
        self.most_busy = 0
        self.counting = threading.Lock()
        self.gets: Counter[str] = Counter()
        self.faults_made: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def titles(self) -> list[list[str]]:
        return [documents_of(body) for body in self.bodies]

    @property
    def health_asked(self) -> int:
        return self.gets["/health"]


def documents_of(body: dict[str, Any]) -> list[str]:
    documents: list[str] = body.get("documents") or body.get("texts") or body["text_2"]
    return documents


def query_of(body: dict[str, Any]) -> str:
    query: str = body.get("query") or body["text_1"]
    return query


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultyServer

    def log_message(self, *_: object) -> None:
        """stderr belongs to the tool under test."""

    def do_GET(self) -> None:
        script = self.server.script
        asked = self.server.gets[self.path]
        self.server.gets[self.path] += 1
        if self.path == "/health":
            status, body = script.health[min(asked, len(script.health) - 1)]
            self.reply(json.dumps(body).encode(), status)
        elif self.path == "/metrics" and script.metrics is not None:
            self.reply(script.metrics[min(asked, len(script.metrics) - 1)].encode())
        elif self.path == "/v1/models" and script.models:
            self.reply(json.dumps({"data": [{"id": name} for name in script.models]}).encode())
        else:
            self.reply(b'{"detail": "Not Found"}', 404)

    def do_POST(self) -> None:
        server, script = self.server, self.server.script
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if script.key is not None and self.headers["Authorization"] != f"Bearer {script.key}":
            self.reply(b'{"error": {"message": "no such key"}}', 401)
            return
        with server.counting:
            server.bodies.append(request)
            server.paths.append(self.path)
            fault = script.faults.get(len(server.bodies), "none")
            server.faults_made[fault] += 1
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
        time.sleep(script.delay_s)
        with server.counting:
            server.busy -= 1
        scores = script.rank(query_of(request), documents_of(request))
        name = "score" if "text_2" in request or "texts" in request else "relevance_score"
        FAULTS[fault](self, [{"index": index, name: score} for index, score in enumerate(scores)])

    def reply(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reply_results(self, results: Any) -> None:
        """In the shape of the dialect that was asked in."""
        request = self.server.bodies[-1]
        answer = results if "texts" in request else {"data" if "text_2" in request else "results": results}
        self.reply(json.dumps(answer).encode())

    def reply_in_chunks(self, results: Any, *, whole: bool) -> None:
        body = json.dumps({"results": results}).encode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (body[:10], body[10:]) if whole else (body[:10],):
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.write(b"0\r\n\r\n" if whole else b"ff\r\nabc")
        self.close_connection = not whole

    def reply_and_close(self, results: Any) -> None:
        """The next request needs a connection of its own."""
        body = json.dumps({"results": results}).encode()
        self.send_response(200)
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Break the connection so that the peer sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def truncate(self, results: Any) -> None:
        """Promise more than is sent."""
        body = json.dumps({"results": results}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def trickle(self) -> None:
        """Send a byte now and then, each well within the time that one read may take."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(60):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)
        self.close_connection = True


def slow(seconds: float) -> Callable[[Handler, Any], None]:
    def answer(handler: Handler, results: Any) -> None:
        time.sleep(seconds)
        handler.reply_results(results)

    return answer


FAULTS: dict[str, Callable[[Handler, Any], None]] = {
    "none": lambda handler, results: handler.reply_results(results),
    "slow": slow(0.5),
    "late": slow(5.0),
    "trickle": lambda handler, _: handler.trickle(),
    "status": lambda handler, _: handler.reply(b'{"error": {"message": "the queue is full"}}', 429),
    "reset": lambda handler, _: handler.reset(),
    "truncate": lambda handler, results: handler.truncate(results),
    "gone": lambda handler, _: handler.reply(b'{"detail": "Not Found"}', 404),
    "chunks": lambda handler, results: handler.reply_in_chunks(results, whole=True),
    "cut chunks": lambda handler, results: handler.reply_in_chunks(results, whole=False),
    "close": lambda handler, results: handler.reply_and_close(results),
    "not http": lambda handler, _: (handler.wfile.write(b"SSH-2.0-hello\r\n"), handler.connection.close())[1],
    "html": lambda handler, _: handler.reply(b"<html>\x1b[31mproxy</html>"),
    "short": lambda handler, results: handler.reply_results(results[:-1]),
    "duplicate": lambda handler, results: handler.reply_results([*results[:-1], results[0]]),
    "nan": lambda handler, results: handler.reply_results(
        [*results[:-1], results[-1] | {"relevance_score": float("nan")}]
    ),
}


@pytest.fixture
def script() -> type[Script]:
    """What a server is told; tests don't import one another's files."""
    return Script


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """A port that nothing listens on."""
    return free_port()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], FaultyServer]]:
    """Start servers by their scripts; they end with the test."""
    started: list[FaultyServer] = []

    def start(script: Script) -> FaultyServer:
        server = FaultyServer(script)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Ran:
    """What one run of the tool came to."""

    status: int
    stdout: str
    stderr: str
    file: Path

    @property
    def results(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.file.read_text())
        return document

    def lost(self) -> list[tuple[int, int, str]]:
        """(n, repeat, reason) of each lost timed sample."""
        return [
            (cell["documents"], loss["repeat"], loss["reason"])
            for cell in self.results["cells"]
            for loss in cell["lost"]
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Ran]:
    """Run `reranker-bench run` with these arguments and small warm-ups."""

    def run(*arguments: str, warmup: int = 4) -> Ran:
        file = tmp_path / f"results-{len(list(tmp_path.iterdir()))}.json"
        command = (*BENCH, "run", "--warmup-documents", str(warmup), "--json-summary-out", str(file), *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment())
        return Ran(done.returncode, done.stdout, done.stderr, file)

    return run


def environment() -> dict[str, str]:
    """A proxy that isn't there: were it used, nothing would be measured."""
    return os.environ | {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "COLUMNS": "120"}
