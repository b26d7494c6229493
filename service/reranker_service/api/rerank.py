"""`POST /rerank`."""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from reranker_service.api.schemas import ErrorResponse, RerankRequest, RerankResponse
from reranker_service.errors import ClientGone
from reranker_service.scoring.ordering import sigmoid
from reranker_service.service import Question, Ranking, RerankService

T = TypeVar("T")

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "The request has to be changed; `param` names the field"},
    413: {"model": ErrorResponse, "description": "The body is too large"},
    422: {"model": ErrorResponse, "description": "The query leaves no room for a document"},
    429: {"model": ErrorResponse, "description": "Too much is queued; see Retry-After"},
    503: {"model": ErrorResponse, "description": "Loading, draining, out of time, or the engine failed"},
}


def create_router(service: RerankService) -> APIRouter:
    """The route, bound to one service."""
    router = APIRouter(tags=["rerank"])

    @router.post("/rerank", response_model=RerankResponse, responses=ERROR_RESPONSES, summary="Rank documents")
    async def rerank(body: RerankRequest, request: Request) -> JSONResponse:
        """Order documents by their relevance to a query, most relevant first."""
        request.state.documents = len(body.documents)
        question = Question([(body.query, document) for document in body.documents], body.instruction)
        ranking = await until_disconnect(request, service.rank(question))
        request.state.timings = ranking.timings
        # Plain data: validating a thousand results that we have just built would cost more than building them.
        return JSONResponse(response_body(body, ranking, service.settings.model_name))

    return router


def response_body(body: RerankRequest, ranking: Ranking, model_name: str) -> dict[str, Any]:
    """What `RerankResponse` describes, as plain data."""
    results = []
    for index in ranking.order[: body.top_n]:
        score = ranking.log_odds[index]
        result: dict[str, Any] = {"index": index, "relevance_score": score if body.raw_scores else sigmoid(score)}
        if ranking.truncated[index]:
            result["truncated"] = True
        if body.return_documents:
            result["document"] = {"text": body.documents[index]}
        results.append(result)
    return {
        "id": f"rerank-{uuid.uuid4().hex}",
        "model": model_name,
        "results": results,
        "usage": {"prompt_tokens": ranking.prompt_tokens, "total_tokens": ranking.prompt_tokens},
    }


async def until_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client closes the connection.

    Raises:
        ClientGone: it did. Nobody will read an answer.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone("the client closed the connection")
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
