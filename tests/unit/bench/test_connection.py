"""The HTTP connection against a peer that sends exactly these bytes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from reranker_bench.connection import ConnectError, Connection, ProtocolError, ResetError, TruncatedError, get

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
Peer = Callable[..., "Script"]


class Script:
    """A server that answers its n-th request with the n-th part, over as many connections as it takes."""

    def __init__(self, answers: list[bytes | Callable[[socket.socket], None]], *, read: bool) -> None:
        self.answers = answers
        self.read = read
        self.requests: list[bytes] = []
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):  # the client may be gone before all is said
                self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        while self.answers:
            request = self.request(connection) if self.read else b"unread"
            if not request:
                return
            self.requests.append(request)
            answer = self.answers.pop(0)
            if callable(answer):
                answer(connection)
                return
            connection.sendall(answer)
            if b"onnection: close" in answer:
                return

    def request(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body


@pytest.fixture
def peer() -> Iterator[Peer]:
    started: list[Script] = []

    def start(*answers: bytes | Callable[[socket.socket], None], read: bool = True) -> Script:
        started.append(Script(list(answers), read=read))
        return started[-1]

    yield start
    for script in started:
        script.listening.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Connection]]:
    made: list[Connection] = []

    def connect(url: str, **headers: str) -> Connection:
        made.append(Connection(url, headers))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def test_one_connection_serves_many_requests_and_says_what_it_must(peer: Peer, connect: Any) -> None:
    server = peer(OK, OK)
    connection = connect(f"{server.url}/base/", Authorization="Bearer x")
    assert connection.request("/rerank", b"{}", timeout_s=5) == (200, b"hi")
    assert connection.request("/health", timeout_s=5) == (200, b"hi")
    assert server.connections == 1
    post, ask = (request.split(b"\r\n") for request in server.requests)
    assert post[0] == b"POST /base/rerank HTTP/1.1"
    assert {b"Host: " + server.url[7:].encode(), b"Content-Length: 2", b"Authorization: Bearer x"} <= set(post)
    assert post[-1] == b"{}"
    assert ask[0] == b"GET /base/health HTTP/1.1"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000, b"x" * 300000),
    ],
)
def test_every_way_of_ending_a_body_is_understood(peer: Peer, connect: Any, answer: bytes, body: bytes) -> None:
    connection = connect(peer(answer, OK).url)
    assert connection.request("/", b"{}", timeout_s=5) == (200, body)
    assert connection.request("/", b"{}", timeout_s=5) == (200, b"hi"), "the next request must find a clean connection"


def test_a_connection_that_the_server_closed_while_idle_is_not_used(peer: Peer, connect: Any) -> None:
    server = peer(lambda c: c.sendall(OK), OK)
    connection = connect(server.url)
    connection.request("/", b"{}", timeout_s=5)
    time.sleep(0.2)
    assert connection.request("/", b"{}", timeout_s=5) == (200, b"hi")
    assert server.connections == 2


def drip(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


BREAKS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf", TruncatedError, "after 4 of 9 bytes"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9\r\nhalf", TruncatedError, "chunk"),
    (lambda _: None, ResetError, "without an answer"),
    (b"SSH-2.0-hello, connection: close\r\n", ProtocolError, "not an HTTP answer"),
    (lambda _: time.sleep(2), TimeoutError, None),
    (drip, TimeoutError, None),
]


@pytest.mark.parametrize(("answer", "error", "says"), BREAKS)
def test_each_way_of_breaking_has_its_name(peer: Peer, connect: Any, answer: Any, error: Any, says: str | None) -> None:
    connection = connect(peer(answer, OK).url)
    started = time.monotonic()
    with pytest.raises(error, match=says):
        connection.request("/", b"{}", timeout_s=0.5)
    assert time.monotonic() - started < 1.9


def test_a_connection_that_broke_is_replaced(peer: Peer, connect: Any) -> None:
    connection = connect(peer(lambda _: None, OK).url)
    with pytest.raises(ResetError):
        connection.request("/", b"{}", timeout_s=5)
    assert connection.request("/", b"{}", timeout_s=5) == (200, b"hi")


def test_no_connection_is_said_with_its_address(free_port: int) -> None:
    with pytest.raises(ConnectError, match=f"127.0.0.1:{free_port}"):
        get(f"http://127.0.0.1:{free_port}", "/health")


def test_a_refusal_before_the_bodys_end_is_an_answer(peer: Peer, connect: Any) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    server = peer(refuse, read=False)
    assert connect(server.url).request("/", b"x" * 5_000_000, timeout_s=5) == (413, b"long")


def test_a_request_under_way_can_be_broken_from_another_thread(peer: Peer, connect: Any) -> None:
    connection = connect(peer(lambda _: time.sleep(3)).url)
    threading.Timer(0.3, connection.abort).start()
    started = time.monotonic()
    with pytest.raises(ResetError):
        connection.request("/", b"{}", timeout_s=10)
    assert time.monotonic() - started < 2.5
    connection.close()
    connection.abort()
