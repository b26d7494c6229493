"""Runs every check with the clients of one environment and prints one JSON object a cell.

`python -m tests.clients.run ENVIRONMENT` reads a JSON object from standard input: addresses of servers (`open`, which
ranks; `keyed`, which wants `key`; `full`, whose queue is full and which takes no body above 64 KiB; `loading`),
`query`, `documents`, and `expected`, the (index, score) pairs that the service gives for them. A cell: `client`,
`check`, `ok`, `what` (what was seen).
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.clients.adapters.base import Adapter, Asked, Hit, Server
from tests.clients.matrix import ADAPTERS, CHECKS

SAME = 1e-6


@dataclass(frozen=True)
class Task:
    """What the clients are asked."""

    open: Server
    keyed: Server
    full: Server
    loading: Server
    query: str
    documents: list[str]
    expected: list[tuple[int, float]]


class FailedError(Exception):
    """A check that a client does not pass."""


def check_ranks(adapter: Adapter, task: Task) -> str:
    compare(ask(adapter, task), task.expected)
    return "same order and scores"


def check_top_n(adapter: Adapter, task: Task) -> str:
    compare(ask(adapter, task, top_n=2), task.expected[:2])
    return "the best two"


def check_documents(adapter: Adapter, task: Task) -> str:
    if not adapter.offers_documents:
        return "not offered by the client"
    for hit in ask(adapter, task, return_documents=True):
        if hit.text != task.documents[hit.index]:
            raise FailedError(f"document {hit.index} came back as {hit.text!r}")
    return "texts came back"


def check_empty_query(adapter: Adapter, task: Task) -> str:
    return raised(adapter, lambda: ask(adapter, task, query=""))


def check_no_documents(adapter: Adapter, task: Task) -> str:
    return raised(adapter, lambda: ask(adapter, task, documents=[]), or_nothing=True)


def check_top_n_0(adapter: Adapter, task: Task) -> str:
    return raised(adapter, lambda: ask(adapter, task, top_n=0), or_nothing=True)


def check_key(adapter: Adapter, task: Task) -> str:
    wrong = Server(task.keyed.url, "not-the-key")
    refused = raised(adapter, lambda: ask(adapter, task, server=wrong))
    if not adapter.sends_key:
        return f"sends none: {refused}"
    ask(adapter, task, server=task.keyed)
    return f"sent; a wrong one: {refused}"


def check_long_query(adapter: Adapter, task: Task) -> str:
    return raised(adapter, lambda: ask(adapter, task, query="word " * 500))


def check_large_body(adapter: Adapter, task: Task) -> str:
    return raised(adapter, lambda: ask(adapter, task, server=task.full, documents=["long " * 20000]))


def check_full_queue(adapter: Adapter, task: Task) -> str:
    return raised(adapter, lambda: ask(adapter, task, server=task.full))


def check_loading(adapter: Adapter, task: Task) -> str:
    return raised(adapter, lambda: ask(adapter, task, server=task.loading))


FUNCTIONS: tuple[Callable[[Adapter, Task], str], ...] = (
    check_ranks, check_top_n, check_documents, check_key, check_empty_query, check_no_documents, check_top_n_0,
    check_long_query, check_large_body, check_full_queue, check_loading,
)  # fmt: skip
RUN = dict(zip(CHECKS, FUNCTIONS, strict=True))


def ask(adapter: Adapter, task: Task, *, server: Server | None = None, **changes: Any) -> list[Hit]:
    """`changes` are what is asked other than the task's query and documents."""
    return adapter.rank(server or task.open, replace(Asked(task.query, task.documents), **changes))


def compare(hits: list[Hit], expected: list[tuple[int, float]]) -> None:
    found = [(hit.index, hit.score) for hit in hits]
    if [index for index, _ in found] != [index for index, _ in expected]:
        raise FailedError(f"order {found}, not {expected}")
    if any(abs(a - b) > SAME for (_, a), (_, b) in zip(found, expected, strict=True)):
        raise FailedError(f"scores {found}, not {expected}")


def raised(adapter: Adapter, call: Callable[[], list[Hit]], *, or_nothing: bool = False) -> str:
    """The exception of `call`, which has to be one of the library's; `or_nothing` where it may also give no result."""
    try:
        hits = call()
    except adapter.errors() as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    except Exception as error:
        raise FailedError(f"not the library's own exception: {error!r}") from error
    if or_nothing and not hits:
        return "answered by the client itself: no results"
    raise FailedError(f"no exception but {hits}")


def cell(adapter: Adapter, check: str, task: Task) -> dict[str, Any]:
    try:
        # Libraries print and log; standard output is for the cells.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            what, ok = RUN[check](adapter, task), True
    except FailedError as failed:
        what, ok = str(failed), False
    except Exception:  # noqa: BLE001 - whatever a library does becomes a cell
        what, ok = traceback.format_exc(limit=-4), False
    return {"client": adapter.name, "check": check, "ok": ok, "what": what}


def do_not_wait() -> None:
    """Retries come at once: what is looked at is what a client raises in the end."""

    async def at_once(delay: float, result: Any = None) -> Any:
        del delay
        return await real(0, result)

    real = asyncio.sleep
    time.sleep = lambda _: None
    asyncio.sleep = at_once


def main(environment: str) -> None:
    do_not_wait()
    logging.disable(logging.CRITICAL)
    given = json.load(sys.stdin)
    task = Task(
        open=Server(given["open"], given["key"]),
        keyed=Server(given["keyed"], given["key"]),
        full=Server(given["full"], given["key"]),
        loading=Server(given["loading"], given["key"]),
        query=given["query"],
        documents=given["documents"],
        expected=[(index, score) for index, score in given["expected"]],
    )
    for adapter in ADAPTERS:
        if adapter.environment == environment:
            for check in CHECKS:
                print(json.dumps(cell(adapter(), check, task)), flush=True)


if __name__ == "__main__":
    os.environ.update(HAYSTACK_TELEMETRY_ENABLED="False", LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR")
    main(sys.argv[1])
