"""Asks the server what it is, and waits until it is what the benchmark was told to measure.

After a change of backend or instruction format the old server may answer for a while; a sweep that starts too early
measures the wrong one and nobody sees it in the figures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from reranker_bench.connection import get

POLL_INTERVAL_S = 1.0
REQUEST_TIMEOUT_S = 10.0


class NotReadyError(Exception):
    """The server can't be measured; the message says what it answered and what was wanted."""


def wait_until_ready(
    url: str,
    *,
    wait_s: float,
    backend: str | None = None,
    instruction_format: str | None = None,
    on_poll: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Poll `GET /health` until the server is ready and is the wanted one; returns what it answered.

    A server without `/health` (404) counts as ready, unless something is expected of it. `on_poll` is told after each
    vain try what is missing.

    Raises:
        NotReadyError: when `wait_s` seconds have passed; with 0 there is one try.
    """
    deadline = time.monotonic() + wait_s
    while True:
        health, missing = _look(url, backend, instruction_format)
        if missing is None:
            return health
        if time.monotonic() + POLL_INTERVAL_S > deadline:
            waited = f" within {wait_s:g} s" if wait_s else ""
            raise NotReadyError(f"{url} is not ready{waited}: {missing}")
        on_poll(missing)
        time.sleep(POLL_INTERVAL_S)


def _look(url: str, backend: str | None, instruction_format: str | None) -> tuple[dict[str, Any], str | None]:
    """One try: what `/health` said, and what is missing (None: nothing is)."""
    try:
        status, body = get(url, "/health", timeout_s=REQUEST_TIMEOUT_S)
    except OSError as error:
        return {}, f"no answer from /health ({error or 'timed out'})"
    health = _object(body)
    if status == 404 and backend is None and instruction_format is None:
        return {}, None
    if status != 200:
        return health, f"/health answers {status} ({health.get('status', 'no status given')})"
    return health, missing_of(health, backend=backend, instruction_format=instruction_format)


def missing_of(health: dict[str, Any], *, backend: str | None, instruction_format: str | None) -> str | None:
    """What a 200 answer of `/health` lacks, in words, or None."""
    if health.get("status", "ok") != "ok":
        return f"/health says status {health['status']!r}"
    for key, wanted in (("backend", backend), ("instruction_format", instruction_format)):
        if wanted is not None and health.get(key) != wanted:
            return f"/health says {key} {health.get(key)!r}, wanted {wanted!r}"
    return None


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
