"""Mixedbread: `input` instead of `documents` on a path of its own, `data` with `score` in the answer."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from reranker_service.api import fields
from reranker_service.api.cohere_jina import Usage
from reranker_service.api.dialect import Answer, RankBody
from reranker_service.service import Question


class MixedbreadRequest(RankBody):
    """A query and its input, as Mixedbread writes it. `instruction` is an extension."""

    rank_fields: fields.RankFields = None
    query: fields.Query
    input: fields.Documents
    model: Annotated[str | None, Field(description="Ignored: one model is served.")] = None
    top_k: fields.TopN = None
    return_input: Annotated[fields.Flag, Field(description="Whether results carry their input.")] = None
    instruction: fields.Instruction = None

    def question(self) -> Question:
        """Every input with the one query."""
        return Question([(self.query, text) for text in self.input], self.instruction, documents_field="input")

    def render(self, answer: Answer) -> dict[str, Any]:
        """What `MixedbreadResponse` describes."""
        data = []
        for index, score in answer.ranked(top_n=self.top_k):
            result = answer.mark({"index": index, "score": score, "object": "rank_result"}, index)
            if self.return_input:
                result["input"] = self.input[index]
            data.append(result)
        return {
            "object": "list",
            "data": data,
            "model": answer.model,
            "usage": answer.usage(),
            "top_k": self.top_k or len(self.input),
            "return_input": bool(self.return_input),
        }


class MixedbreadResult(BaseModel):
    """One ranked input."""

    index: int
    score: float
    object: str
    input: str | None = None
    truncated: bool | None = None


class MixedbreadResponse(BaseModel):
    """Results from the most to the least relevant."""

    object: str
    data: list[MixedbreadResult]
    model: str
    usage: Usage
    top_k: int
    return_input: bool
