"""Text Embeddings Inference: `texts` instead of `documents`, a bare array back, errors of its own form, and `/info`."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from reranker_service import __version__
from reranker_service.api import examples, fields
from reranker_service.api.dialect import Answer, RankBody
from reranker_service.service import Question, RerankService


class TeiRequest(RankBody):
    """A query and texts, as TEI writes it. `top_n` and `instruction` are extensions."""

    speaks_tei: ClassVar[bool] = True

    query: fields.Query
    texts: fields.Documents
    return_text: Annotated[fields.Flag, Field(description="Whether results carry their text.")] = None
    raw_scores: Annotated[fields.Flag, Field(description="Log-odds instead of probabilities.")] = None
    truncate: fields.Truncation = None
    truncation_direction: fields.TruncationSide = None
    top_n: fields.TopN = None
    instruction: fields.Instruction = None

    def question(self) -> Question:
        """Every text with the one query."""
        pairs = [(self.query, text) for text in self.texts]
        return Question(pairs, self.instruction, truncate=self.truncate is not False, documents_field="texts")

    def render(self, answer: Answer) -> list[dict[str, Any]]:
        """A list of what `TeiResult` describes."""
        results = []
        for index, score in answer.ranked(raw=self.raw_scores, top_n=self.top_n):
            result = answer.mark({"index": index, "score": score}, index)
            if self.return_text:
                result["text"] = self.texts[index]
            results.append(result)
        return results

    def headers(self, answer: Answer) -> dict[str, str]:
        """TEI's timings in milliseconds, and its counts."""
        ranking = answer.ranking
        times = {
            "x-total-time": sum(ranking.timings.values()),
            "x-tokenization-time": ranking.timings.get("tokenize", 0.0),
            "x-queue-time": ranking.timings.get("queue", 0.0),
            "x-inference-time": ranking.timings.get("engine", 0.0),
        }
        return {
            "x-compute-characters": str(len(self.query) * len(self.texts) + sum(map(len, self.texts))),
            "x-compute-tokens": str(ranking.prompt_tokens),
            **{name: str(round(seconds * 1000)) for name, seconds in times.items()},
        }


class TeiResult(BaseModel):
    """One ranked text."""

    index: Annotated[int, Field(description="Place of the text in the request.")]
    score: Annotated[float, Field(description="Probability of relevance, or log-odds with `raw_scores`.")]
    text: Annotated[str | None, Field(description="With `return_text` only.")] = None
    truncated: Annotated[bool | None, Field(description="There, and true, only if the text was cut.")] = None


class TeiError(BaseModel):
    """An error as TEI's clients read it."""

    error: str
    error_type: Annotated[str, Field(examples=["Validation"])]


# What TEI calls our kinds of fault, and its status where it differs from ours.
_ERROR_TYPES: dict[str, tuple[str, int | None]] = {
    "no_documents": ("Empty", 400),
    "invalid_request_error": ("Validation", None),
    "overloaded_error": ("Overloaded", None),
    "unavailable_error": ("Unhealthy", None),
    "timeout_error": ("Overloaded", None),
}


def error_body(kind: str, code: str, status: int, message: str) -> tuple[int, dict[str, str]]:
    """The status and body of an error in TEI's form: a field that is wrong is a 422 there."""
    error_type, own_status = _ERROR_TYPES.get(code) or _ERROR_TYPES.get(kind, ("Backend", None))
    if own_status is None:
        own_status = 422 if status == 400 else status
    return own_status, {"error": message, "error_type": error_type}


def create_router(service: RerankService) -> APIRouter:
    """`/info` of one service."""
    router = APIRouter(tags=["description"])

    @router.get("/info", summary="What is served, as TEI describes it", responses=examples.answer(examples.INFO))
    async def info() -> JSONResponse:
        """The model and its limits under TEI's names."""
        settings, model = service.settings, service.model
        return JSONResponse(
            {
                "model_id": settings.model_name,
                "model_sha": model.checkpoint.revision if model else settings.revision,
                "model_dtype": settings.dtype,
                "model_type": {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
                "max_concurrent_requests": settings.server.max_queued_documents,
                "max_input_length": service.engine.capacity.max_prompt_tokens,
                "max_batch_tokens": settings.infer_batch_size * service.engine.capacity.max_prompt_tokens,
                "max_batch_requests": settings.infer_batch_size,
                "max_client_batch_size": settings.server.max_documents,
                "auto_truncate": True,
                "version": __version__,
            }
        )

    return router
