"""The server's own counters, read before and after the timed requests: how much of the work its caches saved.

A benchmark whose requests repeat measures the cache; that ours do not is claimed by the draws and shown by these.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from reranker_bench.connection import get

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{.*\})? ([^ ]+)")


class Counters(BaseModel):
    """Counters of `/metrics`, or how much they grew; None for one that the server doesn't have."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prefix_cache_queries: int | None = None
    """Tokens that were looked up in vLLM's prefix cache, summed over its engines."""
    prefix_cache_hits: int | None = None
    """Tokens found there: they were not computed again."""
    deduplicated_documents: int | None = None
    """Documents that the service scored once for several."""

    def since(self, before: Counters) -> Counters:
        """What was added since `before`; None for one that went back: the server was another one, or began anew."""
        grown = {name: _grown(getattr(before, name), now) for name, now in self.model_dump().items()}
        return Counters(**grown)

    @property
    def cached_share(self) -> float | None:
        """Which part of the tokens came from the prefix cache, from 0 to 1."""
        if not self.prefix_cache_queries or self.prefix_cache_hits is None:
            return None
        return self.prefix_cache_hits / self.prefix_cache_queries

    def describe(self) -> str | None:
        """In words, or None where the server has none of them."""
        parts = []
        if self.prefix_cache_queries is not None and self.prefix_cache_hits is not None:
            share = "" if self.cached_share is None else f" ({self.cached_share:.1%})"
            parts.append(f"{self.prefix_cache_hits} of {self.prefix_cache_queries} tokens from the prefix cache{share}")
        if self.deduplicated_documents is not None:
            parts.append(f"{self.deduplicated_documents} documents deduplicated")
        return "server's caches: " + ", ".join(parts) if parts else None


def _grown(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None or now < before else now - before


_NAMES = {
    "vllm:prefix_cache_queries_total": "prefix_cache_queries",
    "vllm:prefix_cache_hits_total": "prefix_cache_hits",
    "reranker_deduplicated_documents_total": "deduplicated_documents",
}


def read_counters(url: str, headers: dict[str, str], timeout_s: float = 10.0) -> Counters:
    """Ask `/metrics`; a server that has none, or won't tell, has no counters: that is not an error."""
    try:
        status, body = get(url, "/metrics", headers, timeout_s=timeout_s)
    except OSError:
        return Counters()
    return parse_counters(body.decode("utf-8", "replace")) if status == 200 else Counters()


def parse_counters(text: str) -> Counters:
    """The counters in a text in Prometheus' format."""
    totals: dict[str, float] = {}
    for line in text.splitlines():
        if (match := _SAMPLE.match(line)) and (name := _NAMES.get(match[1])):
            totals[name] = totals.get(name, 0) + float(match[2])
    return Counters(**{name: int(total) for name, total in totals.items()})
