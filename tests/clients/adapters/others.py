"""Libraries with one reranking call of their own: Infinity, Xinference, rerankers, Voyage, Mixedbread."""

from typing import Any, ClassVar

from tests.clients.adapters.base import MODEL, Adapter, Asked, Hit, Server, hits_of, optional


class ValidationReturnedError(Exception):
    """infinity_client returned its HTTPValidationError instead of raising it."""


class InfinityClient(Adapter):
    name = "infinity_client"
    environment = "newest"
    path = "/infinity/rerank"
    prefix: ClassVar[str] = "/infinity"

    def errors(self) -> tuple[type[BaseException], ...]:
        from infinity_client.errors import UnexpectedStatus

        return (UnexpectedStatus, ValidationReturnedError)

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        from infinity_client import AuthenticatedClient
        from infinity_client.api.default import rerank
        from infinity_client.models import HTTPValidationError, RerankInput
        from infinity_client.types import UNSET

        body = RerankInput(
            query=asked.query, documents=asked.documents, model=MODEL, return_documents=asked.return_documents,
            **optional(top_n=asked.top_n),
        )  # fmt: skip
        client = AuthenticatedClient(server.url + self.prefix, token=server.key, raise_on_unexpected_status=True)
        response: Any = rerank.sync(client=client, body=body)
        if isinstance(response, HTTPValidationError):  # this is how the library tells of a 422
            raise ValidationReturnedError(response.detail[0].msg)
        assert response.usage.total_tokens > 0
        return [
            Hit(result.index, result.relevance_score, None if result.document is UNSET else result.document)
            for result in response.results
        ]


class InfinityClientShared(InfinityClient):
    name = "infinity_client, shared path"
    path = "/rerank"
    prefix = ""
    offers_documents = False  # on the path that vLLM's clients use, a document is an object


class XinferenceClient(Adapter):
    name = "xinference_client"
    environment = "newest"
    path = "/v1/rerank"

    def errors(self) -> tuple[type[BaseException], ...]:
        return (RuntimeError,)

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        from xinference_client import RESTfulClient

        model = RESTfulClient(server.url, api_key=server.key).get_model(MODEL)
        response = model.rerank(
            asked.documents, asked.query, top_n=asked.top_n, return_documents=asked.return_documents
        )
        return hits_of(response["results"])


class _Rerankers(Adapter):
    environment = "newest"
    offers_documents = False  # it always asks for them and gives back those that it was given
    provider: ClassVar[str]

    def errors(self) -> tuple[type[BaseException], ...]:
        return (LookupError, TypeError)  # the library looks at no status and stumbles over the error's body

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        from rerankers.models.api_rankers import APIRanker

        ranker = APIRanker(MODEL, server.key, self.provider, verbose=0, url=server.url + self.path)
        ranked = ranker.rank(asked.query, asked.documents, doc_ids=list(range(len(asked.documents))))
        results = ranked.results if asked.top_n is None else ranked.top_k(asked.top_n)
        return [Hit(int(result.document.doc_id), result.score) for result in results]


class RerankersCohere(_Rerankers):
    name = "rerankers cohere"
    path = "/v1/rerank"
    provider = "cohere"


class RerankersJina(_Rerankers):
    name = "rerankers jina"
    path = "/v1/rerank"
    provider = "jina"


class RerankersTei(_Rerankers):
    name = "rerankers text-embeddings-inference"
    path = "/rerank"
    provider = "text-embeddings-inference"


class RerankersVoyage(_Rerankers):
    name = "rerankers voyage"
    path = "/v1/rerank"
    provider = "voyage"


class RerankersMixedbread(_Rerankers):
    name = "rerankers mixedbread.ai"
    path = "/v1/reranking"
    provider = "mixedbread.ai"


class Voyage(Adapter):
    name = "voyageai"
    environment = "newest"
    path = "/v1/rerank"
    offers_documents = False  # it takes the texts from the documents it was given

    def errors(self) -> tuple[type[BaseException], ...]:
        from voyageai.error import VoyageError

        return (VoyageError,)

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        import voyageai

        client = voyageai.Client(server.key, base_url=f"{server.url}/v1")
        response = client.rerank(asked.query, asked.documents, MODEL, top_k=asked.top_n)
        assert response.total_tokens > 0
        return [Hit(result.index, result.relevance_score) for result in response.results]


class Mixedbread(Adapter):
    name = "mixedbread"
    environment = "newest"
    path = "/v1/reranking"

    def errors(self) -> tuple[type[BaseException], ...]:
        from mixedbread import APIStatusError

        return (APIStatusError,)

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        from mixedbread import Mixedbread

        response = Mixedbread(api_key=server.key, base_url=server.url).rerank(
            model=MODEL,
            query=asked.query,
            input=asked.documents,
            return_input=asked.return_documents,
            **optional(top_k=asked.top_n),
        )
        return [Hit(result.index, result.score, result.input) for result in response.data]


ADAPTERS = (
    InfinityClient, InfinityClientShared, XinferenceClient, RerankersCohere, RerankersJina, RerankersTei,
    RerankersVoyage, RerankersMixedbread, Voyage, Mixedbread,
)  # fmt: skip
