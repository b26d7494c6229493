"""How a server process ends: nothing accepted is lost, nothing is waited for too long, and the exit code tells why."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[3]


class Server:
    """A server process with a scripted engine."""

    def __init__(self, model: Path, log: Path, script: dict[str, Any]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = script.setdefault("port", probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        command = [sys.executable, "-m", "tests.unit.service.scripted_server"]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [*command, json.dumps({"model_name": str(model), **script})], cwd=ROOT, stdout=output, stderr=output
            )

    def until(self, path: str, status: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(self.url + path).status_code == status:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"{path} did not answer {status}: {self.log.read_text()}")

    def rerank(self, count: int = 1, client: httpx.Client | None = None) -> httpx.Response:
        body = {"query": "shoes", "documents": [str(number) for number in range(count)]}
        return (client or httpx).post(f"{self.url}/rerank", json=body, timeout=60)

    def in_background(self, count: int = 1) -> "Answer":
        return Answer(lambda: self.rerank(count))

    def terminate(self) -> float:
        self.process.send_signal(signal.SIGTERM)
        return time.monotonic()

    def exit_code(self) -> int:
        return self.process.wait(60)


class Answer:
    """A response that is still to come."""

    def __init__(self, call: Callable[[], httpx.Response]) -> None:
        self._result: httpx.Response | Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], httpx.Response]) -> None:
        try:
            self._result = call()
        except httpx.HTTPError as error:
            self._result = error

    def get(self) -> httpx.Response:
        self._thread.join(90)
        assert isinstance(self._result, httpx.Response), self._result
        return self._result


@pytest.fixture
def start(tiny_model: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def run(**script: Any) -> Server:
        started.append(Server(tiny_model, tmp_path / f"server-{len(started)}.log", script))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.process.wait()


def test_a_drain_under_load_answers_every_request(start: Callable[..., Server]) -> None:
    server = start(score_s=0.05, server={"drain_accept_s": 8})
    server.until("/readyz", 200)
    answers: list[httpx.Response | Exception] = []
    stop = threading.Event()

    def client() -> None:
        with httpx.Client() as kept:  # keeps its connection for as long as the server lets it
            while not stop.is_set():
                try:
                    answers.append(server.rerank(15, kept))
                except httpx.HTTPError as error:
                    answers.append(error)

    clients = [threading.Thread(target=client) for _ in range(6)]
    for thread in clients:
        thread.start()
    time.sleep(0.5)
    server.terminate()
    time.sleep(0.3)
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "draining"}
    assert httpx.get(f"{server.url}/livez").status_code == 200
    draining = server.rerank()
    time.sleep(0.7)  # the accept window is still open: clients stop before it closes, as endpoints have moved on
    stop.set()
    for thread in clients:
        thread.join()
    assert server.exit_code() == 0
    assert (draining.status_code, draining.headers["connection"]) == (200, "close")
    failed = [answer for answer in answers if not isinstance(answer, httpx.Response) or answer.status_code != 200]
    assert not failed
    assert len(answers) > 20


def test_after_the_accept_window_new_work_is_refused_and_old_work_finished(start: Callable[..., Server]) -> None:
    server = start(score_s=1.5, server={"drain_accept_s": 0.2})
    server.until("/readyz", 200)
    old = server.in_background(10)
    time.sleep(0.5)
    server.terminate()
    time.sleep(0.5)
    refused = server.rerank()
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "draining"
    assert refused.headers["connection"] == "close"
    assert int(refused.headers["retry-after"]) >= 1
    assert old.get().status_code == 200
    assert server.exit_code() == 0


def test_an_engine_that_never_answers_does_not_outlast_the_cap(start: Callable[..., Server]) -> None:
    server = start(hang=True, server={"drain_accept_s": 0, "drain_timeout_s": 1})
    server.until("/readyz", 200)
    stuck = server.in_background()
    time.sleep(0.5)
    begun = server.terminate()
    answer = stuck.get()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")
    assert server.exit_code() == 0
    assert time.monotonic() - begun < 40


def test_a_second_signal_cuts_the_drain_short(start: Callable[..., Server]) -> None:
    server = start(hang=True, server={"drain_accept_s": 300, "drain_timeout_s": 300})
    server.until("/readyz", 200)
    stuck = server.in_background()
    time.sleep(0.5)
    begun = server.terminate()
    server.until("/readyz", 503)
    server.terminate()
    assert stuck.get().status_code == 503
    assert server.exit_code() == 0
    assert time.monotonic() - begun < 60


def test_an_interrupt_at_a_terminal_skips_the_accept_window(start: Callable[..., Server]) -> None:
    server = start(server={"drain_accept_s": 300})
    server.until("/readyz", 200)
    server.process.send_signal(signal.SIGINT)
    assert server.exit_code() == 0


def test_a_process_that_still_loads_leaves_at_once(start: Callable[..., Server]) -> None:
    server = start(load_s=300, server={"drain_accept_s": 300})
    server.until("/livez", 200)
    server.until("/readyz", 503)
    begun = server.terminate()
    assert server.exit_code() == 0
    assert time.monotonic() - begun < 60


def test_a_model_that_does_not_load_ends_the_process_and_the_last_line_says_why(start: Callable[..., Server]) -> None:
    server = start(load_s=0.5, load_error="the card has 16 GiB")
    assert server.exit_code() == 1
    last = server.log.read_text().splitlines()[-1]
    assert last.endswith("could not start: OutOfMemory: the card has 16 GiB")
    assert " ERROR " in last


def test_an_old_connection_is_closed_after_an_answer(start: Callable[..., Server]) -> None:
    server = start(server={"connection_max_age_s": 1})
    server.until("/readyz", 200)
    with httpx.Client() as kept:
        young = server.rerank(1, kept)
        time.sleep(1.2)
        old, new = server.rerank(1, kept), server.rerank(1, kept)
    assert [answer.status_code for answer in (young, old, new)] == [200, 200, 200]
    assert [answer.headers.get("connection") for answer in (young, old, new)] == [None, "close", None]


def test_a_collector_that_does_not_answer_holds_up_nobody(
    start: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
        server = start(server={"drain_accept_s": 0})
        server.until("/readyz", 200)
        assert server.rerank().status_code == 200
        server.terminate()
        assert server.exit_code() == 0  # within 60 s


def test_a_process_that_failed_its_score_check_can_be_stopped(start: Callable[..., Server], tmp_path: Path) -> None:
    golden = {"query": "q", "documents": ["a", "b"], "ordered": [[0, 1, 1000.0]]}
    (tmp_path / "golden.json").write_text(json.dumps({"version": 1, "name": "impossible", "cases": [golden]}))
    server = start(score_check={"golden_set": str(tmp_path / "golden.json")}, server={"drain_accept_s": 300})
    server.until("/livez", 200)
    server.until("/health", 503)
    while "score check (enforce) failed" not in server.log.read_text():
        time.sleep(0.05)
    assert httpx.get(f"{server.url}/livez").status_code == 200
    server.terminate()
    assert server.exit_code() == 0
