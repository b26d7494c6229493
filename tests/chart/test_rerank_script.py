"""The script of `helm test`, against servers that rank, rank wrongly, come late, or aren't there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Start = Callable[..., str]


@pytest.fixture
def start() -> Iterator[Start]:
    """A server with these scores, ready after so many seconds, that may ask for a key."""
    running: list[ThreadingHTTPServer] = []

    def serve(scores: list[float], *, ready_after: float = 0, key: str | None = None) -> str:
        ready_at = time.monotonic() + ready_after

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                self.answer(200 if self.path == "/readyz" and time.monotonic() >= ready_at else 503, "")

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if key and self.headers["Authorization"] != f"Bearer {key}":
                    return self.answer(401, "no")
                assert self.path == "/rerank"
                ranked = sorted(range(len(asked["documents"])), key=lambda index: -scores[index])
                results = [{"index": index, "relevance_score": scores[index]} for index in ranked]
                return self.answer(200, {"results": results})

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def run_script(chart: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-I", str(chart / "files/test/rerank.py"), *arguments)
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment
        )

    return run


def test_all_is_well(start: Start, run_script: Any) -> None:
    done = run_script(start([]), "5", start([0.1, 0.9]), start([0.2, 0.3]))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ranks correctly") == 2
    assert ": ready" in done.stdout


def test_a_reranker_may_still_be_loading(start: Start, run_script: Any) -> None:
    assert run_script("-", "20", start([0.1, 0.9], ready_after=1.5)).returncode == 0


def test_a_wrong_ranking_fails_and_is_shown(start: Start, run_script: Any) -> None:
    good, bad = start([0.1, 0.9]), start([0.9, 0.1])
    done = run_script("-", "5", bad, good)
    assert done.returncode == 1
    assert f"{bad}: it puts" in done.stderr
    assert f"{good}: ranks correctly" in done.stdout, "the others are asked all the same"


def test_a_key_is_sent_where_one_is_asked_for(start: Start, run_script: Any) -> None:
    address = start([0.1, 0.9], key="secret")
    refused = run_script("-", "5", address)
    assert refused.returncode == 1
    assert "401" in refused.stderr
    assert run_script("-", "5", address, RERANKER_API_KEY="secret").returncode == 0


def test_nobody_there_is_a_failure_that_names_the_address(run_script: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        done = run_script(address, "1")
    assert done.returncode == 1
    assert address in done.stderr
    assert "refused" in done.stderr
