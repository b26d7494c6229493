"""The body that Cohere's, Jina's and vLLM's clients share: one request model and one answer that all of them parse."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from reranker_service.api import fields
from reranker_service.api.dialect import Answer, RankBody, new_id
from reranker_service.scoring.prompts import Limits
from reranker_service.service import Question


class RerankRequest(RankBody):
    """A query and the documents to rank by it, as Cohere (v1, v2), Jina, vLLM, Xinference and SiliconFlow write it."""

    rank_fields: fields.RankFields = None
    query: fields.Query
    documents: fields.Documents
    model: Annotated[
        str | None, Field(description="Ignored: one model is served, and the answer says which one.", examples=["any"])
    ] = None
    top_n: fields.TopN = None
    return_documents: Annotated[fields.Flag, Field(description="Whether results carry their document.")] = None
    instruction: fields.Instruction = None
    min_score: fields.MinScore = None
    max_tokens_per_doc: fields.TokensPerDocument = None
    truncate_prompt_tokens: fields.PromptTokens = None
    truncation_side: fields.TruncationSide = None
    truncation: fields.Truncation = None
    raw_scores: Annotated[fields.Flag, Field(description="Log-odds instead of probabilities.")] = None
    use_activation: Annotated[fields.Flag, Field(description="vLLM's word: false asks for log-odds.")] = None

    def question(self) -> Question:
        """Every document with the one query."""
        limits = limits_of(self.max_tokens_per_doc, self.truncate_prompt_tokens)
        pairs = [(self.query, document) for document in self.documents]
        return Question(pairs, self.instruction, limits, truncate=self.truncation is not False)

    def render(self, answer: Answer) -> dict[str, Any]:
        """What `RerankResponse` describes."""
        raw = self.raw_scores or self.use_activation is False
        results = []
        for index, score in answer.ranked(raw=raw, top_n=self.top_n, min_score=self.min_score):
            result = answer.mark({"index": index, "relevance_score": score}, index)
            if self.return_documents:
                result["document"] = {"text": self.documents[index]}
            results.append(result)
        return {
            "id": new_id("rerank"),
            "model": answer.model,
            "results": results,
            "usage": answer.usage(),
            "meta": answer.meta(),
        }


def limits_of(document_tokens: int | None, prompt_tokens: int | None) -> Limits:
    """A request's limits, with what means "the model's own" left out."""
    return Limits(document_tokens or None, prompt_tokens if prompt_tokens != -1 else None)


class DocumentText(BaseModel):
    """A document as it comes back when it was asked for."""

    text: str


class RerankResult(BaseModel):
    """One ranked document."""

    index: Annotated[int, Field(description="Place of the document in the request.")]
    relevance_score: Annotated[float, Field(description="Probability of relevance, or log-odds with `raw_scores`.")]
    truncated: Annotated[bool | None, Field(description="There, and true, only if the document was cut.")] = None
    document: Annotated[DocumentText | None, Field(description="With `return_documents` only.")] = None


class Usage(BaseModel):
    """Tokens that were scored, prompts included; an exact duplicate counts once."""

    prompt_tokens: int
    total_tokens: int


class Meta(BaseModel):
    """Cohere's accounting."""

    api_version: dict[str, str]
    billed_units: Annotated[dict[str, int], Field(description="A search unit is a query with up to 100 documents.")]
    tokens: dict[str, int]
    warnings: Annotated[list[str] | None, Field(description="There only if documents were cut.")] = None


class RerankResponse(BaseModel):
    """Results from the most to the least relevant; equal scores keep the request's order."""

    id: str
    model: Annotated[str, Field(description="The model that is served, whatever the request named.")]
    results: list[RerankResult]
    usage: Usage
    meta: Meta
