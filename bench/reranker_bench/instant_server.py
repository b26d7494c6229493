"""A server that answers every rerank request at once: whatever time is measured against it is the client's own.

`python -m reranker_bench.instant_server N` listens on a free port of the loopback interface, prints that port, and
answers each POST with the same N scores, whatever it was sent.
"""

from __future__ import annotations

import asyncio
import json
import sys


class _Answering(asyncio.Protocol):
    """Reads no more of a request than its length."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type only: a TCP server makes no other
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (length := self._length()) is not None and len(self._buffer) >= length:
            del self._buffer[:length]
            if self._transport is not None:
                self._transport.write(self._answer)

    def _length(self) -> int | None:
        """Of the request at the buffer's beginning, its head included; None while the head is not whole."""
        head, end, _ = bytes(self._buffer[:4096]).partition(b"\r\n\r\n")
        if not end:
            return None
        _, found, rest = head.lower().partition(b"content-length:")
        return len(head) + 4 + (int(rest.split(b"\r\n", 1)[0]) if found else 0)


async def serve(documents: int) -> None:
    """Serve until the process is ended."""
    results = [{"index": index, "relevance_score": 0.5} for index in range(documents)]
    body = json.dumps({"results": results}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server = await asyncio.get_running_loop().create_server(lambda: _Answering(head + body), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(serve(int(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(0)
