"""The request bodies and answers of the rerank APIs that are in use, so that any such server can be measured.

A dialect says where to post, what to send and where the answer has its scores; everything else is the same for all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """One API."""

    name: str
    what: str
    path: str
    query_key: str = "query"
    documents_key: str = "documents"
    results_key: str | None = "results"
    """Where the answer has the list of results; None: the answer is that list."""
    score_key: str = "relevance_score"
    sends_model: bool = False
    """Whether the API wants the model's name."""

    def body(self, query: str, documents: Sequence[str], model: str | None = None) -> bytes:
        """The request as it goes over the wire."""
        named = {"model": model} if model else {}
        request = named | {self.query_key: query, self.documents_key: list(documents)}
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()

    def results(self, answer: Any) -> Any:
        """What stands where the list of results should be; anything may, or None."""
        if self.results_key is None:
            return answer
        return answer.get(self.results_key) if isinstance(answer, dict) else None


DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect("rerank", "this project's own, and Jina's body", "/rerank"),
        Dialect("v1", "Cohere v1, Jina", "/v1/rerank", sends_model=True),
        Dialect("v2", "Cohere v2", "/v2/rerank", sends_model=True),
        Dialect(
            "tei", "Text Embeddings Inference", "/rerank", documents_key="texts", results_key=None, score_key="score"
        ),
        Dialect(
            "score",
            "vLLM's score API",
            "/score",
            query_key="text_1",
            documents_key="text_2",
            results_key="data",
            score_key="score",
            sends_model=True,
        ),
        Dialect("vllm", "vLLM's rerank API", "/rerank", sends_model=True),
    )
}
