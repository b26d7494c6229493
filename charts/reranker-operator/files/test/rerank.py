"""What `helm test` runs: is the operator ready, and does each reranker rank?

Arguments: the operator's address (or "-"), the seconds to wait, then the rerankers' addresses. RERANKER_API_KEY is the
key that they ask for, where they do. It needs nothing but Python, so that it runs in the operator's image.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

QUERY = "red running shoes"
DOCUMENTS = ["a cook book of the Ligurian kitchen", "red running shoes for women, light and breathable"]


def ask(url: str, body: dict[str, object] | None = None) -> str:
    """The answer's text; URLError (which an HTTP error is, too) when there is none."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("RERANKER_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - the values name http addresses
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return str(answer.read().decode())


def wait_ready(address: str, deadline: float) -> None:
    """Return when `/readyz` answers; raise what it said last when the time is up."""
    while True:
        try:
            ask(f"{address}/readyz")
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def rank(address: str) -> str | None:
    """One rerank; a sentence about what is wrong with the answer, or None."""
    results = json.loads(ask(f"{address}/rerank", {"query": QUERY, "documents": DOCUMENTS}))["results"]
    scores = {result["index"]: result["relevance_score"] for result in results}
    if set(scores) != {0, 1}:
        return f"asked for 2 documents, it ranked {sorted(scores)}"
    if results[0]["index"] != 1:
        return f"it puts {DOCUMENTS[0]!r} before {DOCUMENTS[1]!r} for {QUERY!r}: {scores}"
    print(f"{address}: ranks correctly, {scores[1]:.4f} before {scores[0]:.4f}")
    return None


def check(address: str, deadline: float, *, ranks: bool) -> bool:
    """Whether it is well; what isn't is printed."""
    fault = None
    try:
        wait_ready(address, deadline)
        if ranks:
            fault = rank(address)
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        fault = f"{type(error).__name__}: {error}"
    if fault:
        print(f"{address}: {fault}", file=sys.stderr)
    elif not ranks:
        print(f"{address}: ready")
    return fault is None


def main(operator: str, seconds: str, *rerankers: str) -> int:
    """Ask all of them; the exit status is 1 when one isn't well."""
    deadline = time.monotonic() + float(seconds)
    well = [check(operator, deadline, ranks=False)] if operator != "-" else []
    well += [check(address, deadline, ranks=True) for address in rerankers]
    if not rerankers:
        print("no reranker was named (values: test.urls, rerankers), so none was asked")
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
