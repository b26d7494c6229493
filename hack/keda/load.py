"""Load for the autoscaler: so many requests at a time, for so many seconds, from a pod of the benchmark's image.

`load.py URL CONCURRENCY DOCUMENTS SECONDS` prints one JSON object: answers by status code, and what failed otherwise.
Needs nothing but Python.
"""

import collections
import json
import sys
import threading
import time
import urllib.error
import urllib.request


def main(url: str, concurrency: int, documents: int, seconds: float) -> None:
    counts: collections.Counter[str] = collections.Counter()
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def worker(number: int) -> None:
        turn = 0
        while time.monotonic() < end:
            texts = [f"女装 短袖T恤 第{number}.{turn}款 {n}" for n in range(documents)]
            outcome = answer_to(url, {"query": "健身女生T恤短袖", "documents": texts})
            turn += 1
            with lock:
                counts[outcome] += 1

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"answers": counts, "documents": documents}), flush=True)


def answer_to(url: str, body: object) -> str:
    """The status of one request; a connection of its own, so that the Service spreads requests over newer pods."""
    request = urllib.request.Request(  # noqa: S310 - the caller's own service
        f"{url}/rerank", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            response.read()
            return str(response.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError as error:
        return type(error).__name__


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
