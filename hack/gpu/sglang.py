r"""Times SGLang's multi-item scoring: one `/v1/score` request a query, with token ids, at the lengths of our prompts.

Usage: python3 -m hack.gpu.sglang [PORT]. Environment: COUNTS, REPEAT and WARM as `servers` reads them. The server, of
SGLang 0.5.17, which compiles kernels for two minutes at its first request:

    python3 -m sglang.launch_server --model-path FOLDER --port 30000 --dtype bfloat16 --attention-backend flashinfer \
        --enable-mis --disable-radix-cache --chunked-prefill-size -1 --max-prefill-tokens 65536 \
        --cuda-graph-backend-decode disabled --cuda-graph-backend-prefill disabled --mem-fraction-static 0.6 \
        --sampling-backend pytorch --grammar-backend none --skip-server-warmup
"""

import http.client
import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hack.gpu.clients import post, summary
from hack.gpu.servers import COUNTS, REPEAT, WARM, say

HEAD, TITLE, SUFFIX = 50, (13, 26), 9
LABELS = [9693, 2152]
WORDS = (1000, 150_000)
# The server puts this id between items; it must not stand in one.
DELIMITER = 9999


def draw(rng: np.random.Generator, count: int) -> list[int]:
    """So many ids of ordinary words."""
    ids: NDArray[np.int64] = rng.integers(*WORDS, count)
    ids[ids == DELIMITER] += 1
    return [int(each) for each in ids]


def body(rng: np.random.Generator, suffix: list[int], items: int) -> dict[str, Any]:
    """A request that shares nothing but the suffix with any other."""
    lengths = rng.integers(*TITLE, items)
    return {
        "model": "default", "query": draw(rng, HEAD), "items": [draw(rng, int(each)) + suffix for each in lengths],
        "label_token_ids": LABELS, "apply_softmax": True, "item_first": False,
    }  # fmt: skip


def ask(connection: http.client.HTTPConnection, request: dict[str, Any]) -> float:
    """Milliseconds of a request.

    Raises:
        RuntimeError: it is refused, or the server made a prompt of every item instead of one sequence of all.
    """
    ms, response, answer = post(connection, "/v1/score", json.dumps(request).encode())
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {answer[:300]!r}")
    found = json.loads(answer)
    tokens = len(request["query"]) + sum(map(len, request["items"])) + len(request["items"]) + 1
    if len(found["scores"]) != len(request["items"]) or found["usage"]["prompt_tokens"] != tokens:
        raise RuntimeError(f"{len(found['scores'])} scores, {found['usage']}: no multi-item scoring")
    return ms


def main(port: int) -> None:
    """Every n; fresh ids for each request."""
    rng = np.random.default_rng(0)
    suffix = draw(rng, SUFFIX)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1200)
    for count in COUNTS:
        times = [ask(connection, body(rng, suffix, count)) for _ in range(WARM + REPEAT)][WARM:]
        say(f"SGLang n={count:4}: {summary(times)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30000)
