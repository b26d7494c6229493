"""vLLM's `/score`: two sides of texts, scored pair by pair and answered in the request's order."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from reranker_service.api import examples, fields
from reranker_service.api.cohere_jina import Usage, limits_of
from reranker_service.api.dialect import Answer, RankBody, new_id, now, respond
from reranker_service.api.errors import ERROR_RESPONSES
from reranker_service.api.paths import SCORE_PATHS
from reranker_service.scoring.ordering import sigmoid
from reranker_service.service import Question, RerankService

SIDES = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))


def _side(value: Any, info: ValidationInfo) -> Any:
    return fields.texts_of([value] if isinstance(value, str | dict) else value, info)


def _queries(value: list[str]) -> list[str]:
    for index, text in enumerate(value):
        if not text.strip():
            raise fields.fault("blank", "must not be empty", index=index)
    return value


_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}], "title": "Texts"}
)
Queries = Annotated[list[str], BeforeValidator(_side), AfterValidator(_queries), _SCHEMA]
Side = Annotated[list[str], BeforeValidator(_side), _SCHEMA]


class ScoreRequest(RankBody):
    """Queries on one side and documents on the other, under one of vLLM's pairs of names.

    One query for all documents, or as many queries as documents.
    """

    text_1: Annotated[Queries | None, Field(description="The query, or one per document.")] = None
    text_2: Annotated[Side | None, Field(description="The document or documents.")] = None
    queries: Annotated[Queries | None, Field(description="Another name of `text_1`.")] = None
    documents: Annotated[Side | None, Field(description="Another name of `text_2`.")] = None
    items: Annotated[Side | None, Field(description="Another name of `text_2`.")] = None
    data_1: Annotated[Queries | None, Field(description="Another name of `text_1`.")] = None
    data_2: Annotated[Side | None, Field(description="Another name of `text_2`.")] = None
    model: Annotated[str | None, Field(description="Ignored: one model is served.")] = None
    instruction: fields.Instruction = None
    max_tokens_per_doc: fields.TokensPerDocument = None
    truncate_prompt_tokens: fields.PromptTokens = None
    truncation_side: fields.TruncationSide = None
    raw_scores: Annotated[fields.Flag, Field(description="Log-odds instead of probabilities.")] = None
    use_activation: Annotated[fields.Flag, Field(description="vLLM's word: false asks for log-odds.")] = None

    @model_validator(mode="after")
    def _sides_fit(self) -> "ScoreRequest":
        first, second = self._names()
        queries, documents = getattr(self, first), getattr(self, second)
        if len(queries) not in {1, len(documents)}:
            raise fields.fault(
                "sides",
                f"has {len(queries)} texts and {second} has {len(documents)}; "
                f"send one {first} for all, or as many as {second}",
                param=first,
            )
        return self

    def _names(self) -> tuple[str, str]:
        for names in SIDES:
            if all(getattr(self, name) is not None for name in names):
                return names
        for names in SIDES:
            given = [name for name in names if getattr(self, name) is not None]
            if given:
                missing = names[1 - names.index(given[0])]
                raise fields.fault("missing_side", f"this field is required beside {given[0]}", param=missing)
        raise fields.fault("missing_side", "this field is required, with text_2 beside it", param="text_1")

    def question(self) -> Question:
        """Each document with its query."""
        first, second = self._names()
        queries, documents = getattr(self, first), getattr(self, second)
        if len(queries) == 1:
            queries = queries * len(documents)
        limits = limits_of(self.max_tokens_per_doc, self.truncate_prompt_tokens)
        pairs = list(zip(queries, documents, strict=True))
        return Question(pairs, self.instruction, limits, documents_field=second, query_field=first)

    def render(self, answer: Answer) -> dict[str, Any]:
        """What `ScoreResponse` describes."""
        raw = self.raw_scores or self.use_activation is False
        data = [
            answer.mark({"index": index, "object": "score", "score": value if raw else sigmoid(value)}, index)
            for index, value in enumerate(answer.ranking.log_odds)
        ]
        return {
            "id": new_id("score"),
            "object": "list",
            "created": now(),
            "model": answer.model,
            "data": data,
            "usage": answer.usage(),
        }


class ScoreResult(BaseModel):
    """The score of one pair."""

    index: Annotated[int, Field(description="Place of the pair in the request.")]
    object: str
    score: Annotated[float, Field(description="Probability of relevance, or log-odds with `raw_scores`.")]
    truncated: Annotated[bool | None, Field(description="There, and true, only if the document was cut.")] = None


class ScoreResponse(BaseModel):
    """Scores in the request's order."""

    id: str
    object: str
    created: int
    model: str
    data: list[ScoreResult]
    usage: Usage


def create_router(service: RerankService) -> APIRouter:
    """`/score` and `/v1/score` of one service."""
    router = APIRouter(tags=["score"])

    async def score(body: Annotated[ScoreRequest, Body(openapi_examples=examples.SCORE)], request: Request) -> Response:
        """Score pairs of texts and answer in their order, for callers that sort for themselves."""
        return await respond(service, request, body)

    responses = ERROR_RESPONSES | examples.answer(examples.SCORE_ANSWER)
    for path in SCORE_PATHS:
        router.post(path, response_model=ScoreResponse, responses=responses, summary="Score pairs")(score)
    return router
