"""Voyage: `top_k` in the request, `data` with plain string documents in the answer."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from reranker_service.api import fields
from reranker_service.api.cohere_jina import Usage
from reranker_service.api.dialect import Answer, RankBody
from reranker_service.service import Question


class VoyageRequest(RankBody):
    """A query and documents, as Voyage writes it. `instruction` is an extension."""

    query: fields.Query
    documents: fields.Documents
    model: Annotated[str | None, Field(description="Ignored: one model is served.")] = None
    top_k: fields.TopN = None
    return_documents: Annotated[fields.Flag, Field(description="Whether results carry their document.")] = None
    truncation: fields.Truncation = None
    instruction: fields.Instruction = None

    def question(self) -> Question:
        """Every document with the one query."""
        pairs = [(self.query, document) for document in self.documents]
        return Question(pairs, self.instruction, truncate=self.truncation is not False)

    def render(self, answer: Answer) -> dict[str, Any]:
        """What `VoyageResponse` describes."""
        data = []
        for index, score in answer.ranked(top_n=self.top_k):
            result = answer.mark({"index": index, "relevance_score": score}, index)
            if self.return_documents:
                result["document"] = self.documents[index]
            data.append(result)
        return {"object": "list", "data": data, "model": answer.model, "usage": answer.usage()}


class VoyageResult(BaseModel):
    """One ranked document."""

    index: int
    relevance_score: float
    document: str | None = None
    truncated: bool | None = None


class VoyageResponse(BaseModel):
    """Results from the most to the least relevant."""

    object: str
    data: list[VoyageResult]
    model: str
    usage: Usage
