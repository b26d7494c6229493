"""A client inside the cluster: one request of ten documents every 100 ms, until /tmp/stop exists.

Half of the requests share a pool of kept-alive connections, as a service's client does; the other half open their own.
Prints one JSON object a failure, and a summary as the last line. Needs nothing but Python: it runs in any image that
has it.
"""

import http.client
import json
import pathlib
import select
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

INTERVAL_S = 0.1
DOCUMENTS = 10
TIMEOUT_S = 60
# Requests that may be open at once, so that a slow answer doesn't delay the next request.
THREADS = 256


class Client:
    """Sends requests and keeps what became of them. `idle` are kept-alive connections; a list's end is thread-safe."""

    def __init__(self, url: str) -> None:
        address = urllib.parse.urlsplit(url)
        self.host, self.port = address.hostname or "", address.port or 80
        self.idle: list[http.client.HTTPConnection] = []
        self.latencies: list[float] = []
        self.failures = 0

    def one(self, number: int) -> None:
        """Send a request and check its answer. Never sent twice: a lost one is lost."""
        pooled = number % 2 == 0
        documents = [f"女装 短袖T恤 第{number}款 {n}" for n in range(DOCUMENTS)]
        body = json.dumps({"query": "健身女生T恤短袖", "documents": documents}).encode()
        started = time.monotonic()
        connection = self.connect(pooled=pooled)
        try:
            connection.request("POST", "/rerank", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            indices = sorted(result["index"] for result in json.loads(text)["results"])
            problem = None if response.status == 200 and indices == list(range(DOCUMENTS)) else text.decode()
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            problem = repr(error)
        self.latencies.append(time.monotonic() - started)
        if pooled and problem is None and connection.sock is not None:
            self.idle.append(connection)
        else:
            connection.close()
        if problem is not None:
            self.failures += 1
            print(json.dumps({"number": number, "pooled": pooled, "problem": problem}), flush=True)

    def connect(self, *, pooled: bool) -> http.client.HTTPConnection:
        """An idle connection that its server has not closed, else a new one."""
        while pooled and self.idle:
            connection = self.idle.pop()
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)


def main(url: str) -> None:
    """Go on until told to stop, then say how it went."""
    client = Client(url)
    number, begun = 0, time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        while not pathlib.Path("/tmp/stop").exists():  # noqa: S108 - the pod's own /tmp
            threads.submit(client.one, number)
            number += 1
            time.sleep(max(0.0, begun + number * INTERVAL_S - time.monotonic()))
    latencies = sorted(client.latencies)
    summary = {
        "requests": number,
        "failures": client.failures + number - len(latencies),
        "p50_s": round(latencies[len(latencies) // 2], 3),
        "p99_s": round(latencies[int(len(latencies) * 0.99)], 3),
        "max_s": round(latencies[-1], 3),
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(summary), flush=True)


main(sys.argv[1])
