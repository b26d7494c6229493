"""Infinity: the shared body, but a document that comes back is a plain string."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from reranker_service.api.cohere_jina import RerankRequest, Usage
from reranker_service.api.dialect import Answer, new_id, now


class InfinityRequest(RerankRequest):
    """A query and documents, as Infinity writes it."""

    def render(self, answer: Answer) -> dict[str, Any]:
        """What `InfinityResponse` describes."""
        body = super().render(answer)
        for result in body["results"]:
            if "document" in result:
                result["document"] = result["document"]["text"]
        del body["meta"]
        return {**body, "object": "rerank", "id": new_id("infinity"), "created": now()}


class InfinityResult(BaseModel):
    """One ranked document."""

    index: int
    relevance_score: float
    document: Annotated[str | None, Field(description="With `return_documents` only.")] = None
    truncated: bool | None = None


class InfinityResponse(BaseModel):
    """Results from the most to the least relevant."""

    object: str
    id: str
    created: int
    model: str
    results: list[InfinityResult]
    usage: Usage
