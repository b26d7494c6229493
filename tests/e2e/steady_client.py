"""A client inside the cluster: one request of ten documents every 100 ms, until /tmp/stop exists.

Half of the requests share a pool of kept-alive connections, as a service's client does; the other half open their own.
Prints one JSON object a failure, and a summary as the last line. Runs with what the benchmark's image has.
"""

import asyncio
import json
import pathlib
import sys
import time

import httpx

INTERVAL_S = 0.1
DOCUMENTS = 10
TIMEOUT_S = 60


async def main(url: str) -> None:
    tasks, failures, latencies = set(), [], []

    async def one(number: int, client: httpx.AsyncClient) -> None:
        documents = [f"女装 短袖T恤 第{number}款 {n}" for n in range(DOCUMENTS)]
        started = time.monotonic()
        try:
            response = await client.post(f"{url}/rerank", json={"query": "健身女生T恤短袖", "documents": documents})
            indices = sorted(result["index"] for result in response.json()["results"])
            problem = None if response.status_code == 200 and indices == list(range(DOCUMENTS)) else response.text
        except (httpx.HTTPError, ValueError, KeyError) as error:
            problem = repr(error)
        latencies.append(time.monotonic() - started)
        if problem is not None:
            failures.append(problem)
            print(json.dumps({"number": number, "pooled": number % 2 == 0, "problem": problem}), flush=True)

    async def alone(number: int) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            await one(number, client)

    number, begun = 0, time.monotonic()
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as pool:
        while not pathlib.Path("/tmp/stop").exists():  # noqa: ASYNC240, S108 - a stat a tick, in the pod's own /tmp
            task = asyncio.create_task(one(number, pool) if number % 2 == 0 else alone(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            await asyncio.sleep(max(0.0, begun + number * INTERVAL_S - time.monotonic()))
        await asyncio.gather(*tasks)
    latencies.sort()
    summary = {
        "requests": number,
        "failures": len(failures),
        "p50_s": round(latencies[len(latencies) // 2], 3),
        "p99_s": round(latencies[int(len(latencies) * 0.99)], 3),
        "max_s": round(latencies[-1], 3),
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(summary), flush=True)


asyncio.run(main(sys.argv[1]))
