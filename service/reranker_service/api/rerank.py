"""The routes that rank documents: the paths that several dialects share, and those that one has for itself."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import Discriminator, Tag

from reranker_service.api import examples
from reranker_service.api.cohere_jina import RerankRequest, RerankResponse
from reranker_service.api.dialect import respond
from reranker_service.api.errors import ERROR_RESPONSES
from reranker_service.api.infinity import InfinityRequest, InfinityResponse
from reranker_service.api.mixedbread import MixedbreadRequest, MixedbreadResponse
from reranker_service.api.paths import INFINITY_PATH, MIXEDBREAD_PATH, RERANK_PATHS, VOYAGE_PATH
from reranker_service.api.shapes import shape_of
from reranker_service.api.tei import TeiRequest, TeiResult
from reranker_service.api.voyage import VoyageRequest, VoyageResponse
from reranker_service.service import RerankService

AnyRequest = Annotated[
    Annotated[RerankRequest, Tag("Rerank")]
    | Annotated[TeiRequest, Tag("TEI")]
    | Annotated[VoyageRequest, Tag("Voyage")],
    Discriminator(shape_of),
    Body(openapi_examples=examples.RERANK),
]


def create_router(service: RerankService) -> APIRouter:
    """The routes, bound to one service."""
    router = APIRouter(tags=["rerank"])

    async def rerank(body: AnyRequest, request: Request) -> Response:
        """Order documents by their relevance to a query, most relevant first.

        The dialect is told by the body's fields: `texts` is TEI's, `top_k` Voyage's, and everything else gets the
        answer that Cohere's, Jina's and vLLM's clients parse.
        """
        return await respond(service, request, body)

    async def mixedbread(
        body: Annotated[MixedbreadRequest, Body(openapi_examples=examples.MIXEDBREAD)], request: Request
    ) -> Response:
        """Order inputs by their relevance to a query, for Mixedbread's clients."""
        return await respond(service, request, body)

    async def voyage(
        body: Annotated[VoyageRequest, Body(openapi_examples=examples.VOYAGE)], request: Request
    ) -> Response:
        """Order documents, for clients of Voyage whose bodies have none of its own fields."""
        return await respond(service, request, body)

    async def infinity(
        body: Annotated[InfinityRequest, Body(openapi_examples=examples.INFINITY)], request: Request
    ) -> Response:
        """Order documents, for clients of Infinity that want documents back as plain strings."""
        return await respond(service, request, body)

    def add(path: str, handler: Callable[..., Any], model: Any, example: Any, summary: str) -> None:
        responses = ERROR_RESPONSES | examples.answer(example)
        router.post(path, response_model=model, responses=responses, summary=summary)(handler)

    for path in RERANK_PATHS:
        add(path, rerank, RerankResponse | list[TeiResult] | VoyageResponse, examples.RERANK_ANSWER, "Rank documents")
    add(MIXEDBREAD_PATH, mixedbread, MixedbreadResponse, examples.MIXEDBREAD_ANSWER, "Rank inputs (Mixedbread)")
    add(VOYAGE_PATH, voyage, VoyageResponse, examples.VOYAGE_ANSWER, "Rank documents (Voyage)")
    add(INFINITY_PATH, infinity, InfinityResponse, examples.INFINITY_ANSWER, "Rank documents (Infinity)")
    return router
