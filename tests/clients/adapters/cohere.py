"""Cohere's own SDK: versions 1 and 2 of the API, blocking and asynchronous, in an old and the newest release."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.clients.adapters.base import MODEL, Adapter, Asked, Hit, Server, optional


class _Cohere(Adapter):
    def errors(self) -> tuple[type[BaseException], ...]:
        from cohere.core.api_error import ApiError

        return (ApiError,)


class CohereV1(_Cohere):
    name = "cohere v1"
    environment = "newest"
    path = "/v1/rerank"

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        return _hits(asyncio.run(self.ask(server, asked)))

    async def ask(self, server: Server, asked: Asked) -> Any:
        import cohere

        return cohere.Client(server.key, base_url=server.url).rerank(
            model=MODEL,
            query=asked.query,
            documents=_objects(asked.documents),
            rank_fields=["text"],
            **_v1_options(asked),
        )


class CohereV1Async(CohereV1):
    name = "cohere v1 async"

    async def ask(self, server: Server, asked: Asked) -> Any:
        import cohere

        return await cohere.AsyncClient(server.key, base_url=server.url).rerank(
            model=MODEL, query=asked.query, documents=asked.documents, **_v1_options(asked)
        )


class CohereV2(_Cohere):
    name = "cohere v2"
    environment = "newest"
    path = "/v2/rerank"
    offers_documents = False

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        return _hits(asyncio.run(self.ask(server, asked)))

    async def ask(self, server: Server, asked: Asked) -> Any:
        import cohere

        return cohere.ClientV2(server.key, base_url=server.url).rerank(
            model=MODEL,
            query=asked.query,
            documents=asked.documents,
            max_tokens_per_doc=4096,
            **optional(top_n=asked.top_n),
        )


class CohereV2Async(CohereV2):
    name = "cohere v2 async"

    async def ask(self, server: Server, asked: Asked) -> Any:
        import cohere

        return await cohere.AsyncClientV2(server.key, base_url=server.url).rerank(
            model=MODEL, query=asked.query, documents=asked.documents, **optional(top_n=asked.top_n)
        )


class HeldCohereV1(CohereV1):
    name = "cohere 5 v1"
    environment = "held"


class HeldCohereV1Async(CohereV1Async):
    name = "cohere 5 v1 async"
    environment = "held"


class HeldCohereV2(CohereV2):
    name = "cohere 5 v2"
    environment = "held"


class HeldCohereV2Async(CohereV2Async):
    name = "cohere 5 v2 async"
    environment = "held"


def _objects(documents: Sequence[str]) -> list[Any]:
    return [{"text": document, "id": str(number)} for number, document in enumerate(documents)]


def _v1_options(asked: Asked) -> dict[str, Any]:
    return optional(top_n=asked.top_n, return_documents=asked.return_documents or None)


def _hits(response: Any) -> list[Hit]:
    assert response.meta.api_version.version in {"1", "2"}
    assert response.meta.billed_units.search_units == 1
    return [
        Hit(result.index, result.relevance_score, getattr(getattr(result, "document", None), "text", None))
        for result in response.results
    ]


ADAPTERS = (
    CohereV1, CohereV1Async, CohereV2, CohereV2Async, HeldCohereV1, HeldCohereV1Async, HeldCohereV2, HeldCohereV2Async,
)  # fmt: skip
