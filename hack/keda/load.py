"""Load for the autoscaler: so many requests at a time, for so many seconds, from a pod of the benchmark's image.

`load.py URL CONCURRENCY DOCUMENTS SECONDS` prints one JSON object: answers by status code, and what failed otherwise.
"""

import asyncio
import collections
import json
import sys
import time

import httpx


async def main(url: str, concurrency: int, documents: int, seconds: float) -> None:
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds

    async def worker(number: int) -> None:
        # A connection of its own each time: the Service then spreads requests over pods that came later.
        for turn in range(1_000_000):
            if time.monotonic() > end:
                return
            texts = [f"女装 短袖T恤 第{number}.{turn}款 {n}" for n in range(documents)]
            try:
                async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
                    body = {"query": "健身女生T恤短袖", "documents": texts}
                    answer = await client.post(f"{url}/rerank", json=body)
                counts[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                counts[type(error).__name__] += 1

    await asyncio.gather(*(worker(number) for number in range(concurrency)))
    print(json.dumps({"answers": counts, "documents": documents}), flush=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
