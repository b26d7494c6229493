"""One lean HTTP/1.1 connection: what the client costs is measured along with the server, so it must cost little.

A general HTTP client takes two to three times as long for an answer of a thousand documents as the socket and the
standard library's response parser do (docs/benchmarking.md has the figures). A request is sent in one write; the whole
exchange, connecting included, has one deadline, and each way in which it can break has a name.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from urllib.parse import SplitResult, urlsplit

IDLE_S = 1.0
"""Servers close idle connections after some seconds (uvicorn: 5). One that idled this long is given up, so that no
request is sent on a connection that is just being closed, which would be a lost sample of our own making."""
READ_BYTES = 1 << 18


class ConnectError(OSError):
    """No connection could be made: refused, no such host, or no TLS."""


class ResetError(OSError):
    """The peer broke the connection before the answer's head was there, or by a reset in its middle."""


class TruncatedError(OSError):
    """The answer ended before it was whole."""


class ProtocolError(OSError):
    """What came back is not HTTP."""


class Connection:
    """Keeps one connection to a server alive over many requests. Not to be shared between threads, but for `abort`.

    Args:
        url: the server's base; its path, if any, comes before each request's.
        headers: sent with every request, beside those that the body needs.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._to: SplitResult = urlsplit(url)
        self._port = self._to.port or (443 if self._to.scheme == "https" else 80)
        lines = {"Host": self._to.netloc.rpartition("@")[2], "Accept": "application/json", **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1")
        self._tls = ssl.create_default_context() if self._to.scheme == "https" else None
        self._socket: socket.socket | None = None
        self._used_at = 0.0

    def request(self, path: str, body: bytes | None = None, *, timeout_s: float) -> tuple[int, bytes]:
        """POST a JSON body, or GET where there is none, and read the whole answer: status and body.

        Raises:
            TimeoutError: when `timeout_s` seconds have passed without a whole answer.
            ConnectError, ResetError, TruncatedError, ProtocolError: as they say.
        """
        deadline = time.perf_counter() + timeout_s
        connection = self._connected(deadline)
        line = f"{'GET' if body is None else 'POST'} {self._to.path.rstrip('/')}{path} HTTP/1.1\r\n"
        if body is not None:
            line += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        whole = line.encode("latin-1") + self._headers + b"\r\n" + (body or b"")
        try:
            status, answer, keep = _exchange(connection, whole, deadline)
        except BaseException:
            self.close()
            raise
        if keep:
            self._used_at = time.perf_counter()
        else:
            self.close()
        return status, answer

    def close(self) -> None:
        """Give the connection up; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def abort(self) -> None:
        """Break what is under way, from another thread: its `request` raises."""
        connection = self._socket
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already

    def _connected(self, deadline: float) -> socket.socket:
        if self._socket is not None and (time.perf_counter() - self._used_at > IDLE_S or _readable(self._socket)):
            self.close()
        if self._socket is None:
            self._socket = self._connect(deadline)
        return self._socket

    def _connect(self, deadline: float) -> socket.socket:
        try:
            raw = socket.create_connection((self._to.hostname or "", self._port), timeout=_left(deadline))
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return raw if self._tls is None else self._tls.wrap_socket(raw, server_hostname=self._to.hostname)
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectError(f"no connection to {self._to.hostname}:{self._port}: {error}") from error


def get(url: str, path: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = 10.0) -> tuple[int, bytes]:
    """One GET on a connection of its own.

    Raises:
        OSError: as `Connection.request`; a timeout is one too.
    """
    connection = Connection(url, dict(headers or {}))
    try:
        return connection.request(path, timeout_s=timeout_s)
    finally:
        connection.close()


def _exchange(connection: socket.socket, request: bytes, deadline: float) -> tuple[int, bytes, bool]:
    """Send and read; the third value says whether the connection can be used again."""
    try:
        sent = _send(connection, request, deadline)
        response = HTTPResponse(connection)
        try:
            response.begin()
            body = _body(connection, response, deadline)
        finally:
            response.close()
    except TimeoutError:
        raise
    except http.client.RemoteDisconnected as error:
        raise ResetError("the connection was closed without an answer") from error
    except http.client.IncompleteRead as error:
        raise TruncatedError("the answer ended in the middle of a chunk") from error
    except (HTTPException, ValueError) as error:
        raise ProtocolError(f"not an HTTP answer: {type(error).__name__}: {error}") from error
    except TruncatedError:
        raise
    except OSError as error:
        raise ResetError(f"the connection broke: {error}") from error
    return response.status, body, sent and not response.will_close


def _send(connection: socket.socket, request: bytes, deadline: float) -> bool:
    """Whether all of it was taken. A server may refuse a long body before its end (413): its answer is read then."""
    connection.settimeout(_left(deadline))
    try:
        connection.sendall(request)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _body(connection: socket.socket, response: HTTPResponse, deadline: float) -> bytes:
    """All of the body. Each read gets only the time that is left: a byte now and then must not hold a run for ever."""
    promised = response.length  # None when it comes in chunks, or up to the connection's end
    parts: list[bytes] = []
    received = 0
    while promised is None or received < promised:
        connection.settimeout(_left(deadline))
        part = response.read1(READ_BYTES if promised is None else min(READ_BYTES, promised - received))
        if not part:
            break
        parts.append(part)
        received += len(part)
    if promised is not None and received < promised:
        raise TruncatedError(f"the answer ended after {received} of {promised} bytes")
    return b"".join(parts)


def _readable(connection: socket.socket) -> bool:
    """Something to read where nothing was asked: the server has closed it."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _left(deadline: float) -> float:
    left = deadline - time.perf_counter()
    if left <= 0:
        raise TimeoutError
    return left
