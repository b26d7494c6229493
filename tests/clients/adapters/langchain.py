"""LangChain's document compressors for Cohere, Jina and Infinity."""

from abc import abstractmethod
from typing import Any

from tests.clients.adapters.base import MODEL, Adapter, Asked, Hit, Server


class _LangChain(Adapter):
    environment = "held"
    offers_documents = False  # the documents that come back are those that were given

    def errors(self) -> tuple[type[BaseException], ...]:
        return (RuntimeError,)

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        compressor = self.compressor(server)
        compressor.top_n = asked.top_n  # a `top_n` of 0 in the call means the compressor's own
        ranked = compressor.rerank(asked.documents, asked.query)
        return [Hit(result["index"], result["relevance_score"]) for result in ranked]

    @abstractmethod
    def compressor(self, server: Server) -> Any: ...


class LangChainCohere(_LangChain):
    name = "langchain cohere"
    path = "/v2/rerank"

    def errors(self) -> tuple[type[BaseException], ...]:
        from cohere.core.api_error import ApiError

        return (ApiError,)

    def compressor(self, server: Server) -> Any:
        from langchain_cohere import CohereRerank

        return CohereRerank(model=MODEL, cohere_api_key=server.key, base_url=server.url)


class LangChainJina(_LangChain):
    name = "langchain jina"
    path = "/v1/rerank"

    def compressor(self, server: Server) -> Any:
        from langchain_community.document_compressors import jina_rerank

        jina_rerank.JINA_API_URL = f"{server.url}/v1/rerank"  # the class takes no address
        return jina_rerank.JinaRerank(model=MODEL, jina_api_key=server.key)


class LangChainInfinity(_LangChain):
    name = "langchain infinity"
    path = "/rerank"

    def errors(self) -> tuple[type[BaseException], ...]:
        from infinity_client.errors import UnexpectedStatus

        return (UnexpectedStatus, KeyError)  # KeyError: it iterates over what the client returns for a 422

    def compressor(self, server: Server) -> Any:
        from infinity_client import AuthenticatedClient
        from langchain_community.document_compressors.infinity_rerank import InfinityRerank

        client = AuthenticatedClient(server.url, token=server.key, raise_on_unexpected_status=True)
        return InfinityRerank.model_construct(client=client, model=MODEL, top_n=None)


ADAPTERS = (LangChainCohere, LangChainJina, LangChainInfinity)
