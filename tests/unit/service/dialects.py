"""What the tests of all dialects share: documents, and ways to ask."""

from typing import Any

import httpx
from tests.unit.service.conftest import App

DOCUMENTS = ["red shoes", "blue shoes", "green jacket", "white dress"]
SHARED = ["/rerank", "/v1/rerank", "/v2/rerank"]
LONG = "word " * 500


async def log_odds(app: App, documents: list[str] = DOCUMENTS, **fields: Any) -> list[float]:
    """What the engine gives for each document, in the request's order."""
    results = (await app.rerank(documents, raw_scores=True, **fields)).json()["results"]
    return [result["relevance_score"] for result in sorted(results, key=lambda result: result["index"])]


async def post(app: App, path: str, **body: Any) -> httpx.Response:
    return await app.client.post(path, json=body)


def best_first(values: list[float]) -> list[int]:
    return sorted(range(len(values)), key=lambda index: -values[index])
