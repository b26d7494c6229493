"""A rerank client that costs little itself: prepared bodies, one connection a client, the clock around the exchange.

Every request carries titles that no earlier one carried, so that no server finds anything in a cache but the head.
"""

import asyncio
import http.client
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from reranker_bench.titles import generate

QUERY = "健身女生T恤短袖"


@dataclass
class Titles:
    """Titles one after another; `used_up` once the first one comes again."""

    texts: tuple[str, ...] = field(default_factory=lambda: generate(200_000).texts)
    place: int = 0

    @property
    def used_up(self) -> bool:
        """Whether titles have come twice."""
        return self.place > len(self.texts)

    def take(self, count: int) -> list[str]:
        """The next titles."""
        chosen = [self.texts[(self.place + step) % len(self.texts)] for step in range(count)]
        self.place += count
        return chosen


def body(titles: Titles, count: int, extra: dict[str, Any]) -> bytes:
    """A request's body."""
    return json.dumps({"query": QUERY, "documents": titles.take(count), **extra}, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of a request as its client saw it, and of each stage that the server tells of."""

    ms: float
    stages: dict[str, float]


def one_by_one(port: int, bodies: list[bytes], documents: int) -> list[Timed]:
    """Each request's times; every answer is read whole and must hold every document, best first."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    times = []
    for each in bodies:
        ms, response, answer = post(connection, "/rerank", each)
        check(response.status, answer, documents)
        times.append(Timed(ms, _stages(response.getheader("Server-Timing", ""))))
    connection.close()
    return times


def post(
    connection: http.client.HTTPConnection, path: str, body: bytes
) -> tuple[float, http.client.HTTPResponse, bytes]:
    """Milliseconds from before a request to its answer's last byte, and the answer."""
    begin = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    return (time.perf_counter() - begin) * 1000, response, answer


def summary(times: list[float]) -> str:
    """Median and range of milliseconds."""
    return f"median {np.median(times):8.2f} ms (min {min(times):.2f}, max {max(times):.2f})"


def _stages(header: str) -> dict[str, float]:
    return {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([\d.]+)", header)}


def check(status: int, answer: bytes, documents: int) -> None:
    """Raise unless the answer ranks so many documents."""
    if status != 200:
        raise RuntimeError(f"status {status}: {answer[:300]!r}")
    results = json.loads(answer)["results"]
    scores = [result["relevance_score"] for result in results]
    if len(results) != documents or scores != sorted(scores, reverse=True):
        raise RuntimeError(f"{len(results)} results for {documents} documents, or not in order")


def load(port: int, bodies: list[bytes], documents: int, clients: int, seconds: float) -> dict[str, Any]:
    """So many clients, each sending its next request when it has its answer; docs/s and latency by percentile."""
    times, elapsed, begun = asyncio.run(_load(port, bodies, documents, clients, seconds))
    p50, p99 = np.percentile(times, [50, 99])
    return {
        "clients": clients, "documents": documents, "seconds": elapsed, "requests": len(times),
        "documents_per_s": len(times) * documents / elapsed, "p50_ms": float(p50), "p99_ms": float(p99),
        "max_ms": float(np.max(times)), "bodies_repeated": begun > len(bodies),
    }  # fmt: skip


async def _load(
    port: int, bodies: list[bytes], documents: int, clients: int, seconds: float
) -> tuple[list[float], float, int]:
    times: list[float] = []
    started = time.perf_counter()
    begun = 0

    def requests() -> Iterator[bytes]:
        nonlocal begun
        while time.perf_counter() - started < seconds:
            begun += 1
            yield bodies[(begun - 1) % len(bodies)]

    source = requests()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for each in source:
            begin = time.perf_counter()
            head = f"POST /rerank HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {len(each)}"
            writer.write(head.encode() + b"\r\n\r\n" + each)
            status, answer = await _answer(reader)
            times.append((time.perf_counter() - begin) * 1000)
            if status != 200 or answer.count(b'"relevance_score"') != documents:
                raise RuntimeError(f"status {status}: {answer[:300]!r}")
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return times, time.perf_counter() - started, begun


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    if "content-length" not in fields:
        raise RuntimeError(f"an answer without a length: {head!r}")
    return int(lines[0].split()[1]), await reader.readexactly(int(fields["content-length"]))
