"""Haystack's rankers for Cohere, Jina and Text Embeddings Inference."""

from abc import abstractmethod
from typing import Any

from tests.clients.adapters.base import MODEL, Adapter, Asked, Hit, Server, hits_by_text, optional


class _Haystack(Adapter):
    environment = "newest"
    offers_documents = False  # the ranker gives back the documents it was given

    def errors(self) -> tuple[type[BaseException], ...]:
        return (RuntimeError, ValueError)  # ValueError: `top_k` is checked before anything is sent

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        from haystack import Document

        given = [Document(content=text) for text in asked.documents]
        ranked = self.ranker(server).run(query=asked.query, documents=given, **optional(top_k=asked.top_n))["documents"]
        return hits_by_text([(document.content, document.score) for document in ranked], asked.documents)

    @abstractmethod
    def ranker(self, server: Server) -> Any: ...


class HaystackCohere(_Haystack):
    name = "haystack cohere"
    path = "/v2/rerank"

    def errors(self) -> tuple[type[BaseException], ...]:
        from cohere.core.api_error import ApiError

        return (ApiError, ValueError)

    def ranker(self, server: Server) -> Any:
        from haystack.utils import Secret
        from haystack_integrations.components.rankers.cohere import CohereRanker

        return CohereRanker(model=MODEL, api_key=Secret.from_token(server.key), api_base_url=server.url)


class HaystackJina(_Haystack):
    name = "haystack jina"
    path = "/v1/rerank"

    def ranker(self, server: Server) -> Any:
        from haystack.utils import Secret
        from haystack_integrations.components.rankers.jina import JinaRanker

        key = Secret.from_token(server.key)
        return JinaRanker(model=MODEL, api_key=key, base_url=f"{server.url}/v1/rerank")


class HaystackTei(_Haystack):
    name = "haystack huggingface-api (TEI)"
    path = "/rerank"

    def ranker(self, server: Server) -> Any:
        from haystack.utils import Secret
        from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

        return HuggingFaceTEIRanker(url=server.url, token=Secret.from_token(server.key))


ADAPTERS = (HaystackCohere, HaystackJina, HaystackTei)
