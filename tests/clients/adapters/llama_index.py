"""LlamaIndex's postprocessors for Cohere, Jina, SiliconFlow, Xinference and Text Embeddings Inference."""

from abc import abstractmethod
from typing import Any

from tests.clients.adapters.base import MODEL, Adapter, Asked, Hit, Server, hits_by_text

MANY = 1000


class _LlamaIndex(Adapter):
    environment = "held"
    offers_documents = False  # the nodes that come back are those that were given

    def errors(self) -> tuple[type[BaseException], ...]:
        return (RuntimeError,)

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

        nodes = [NodeWithScore(node=TextNode(text=text), score=0.0) for text in asked.documents]
        postprocessor = self.postprocessor(server, MANY if asked.top_n is None else asked.top_n)
        ranked = postprocessor.postprocess_nodes(nodes, query_bundle=QueryBundle(asked.query))
        return hits_by_text([(node.node.get_content(), node.score) for node in ranked], asked.documents)

    @abstractmethod
    def postprocessor(self, server: Server, top_n: int) -> Any: ...


class LlamaIndexCohere(_LlamaIndex):
    name = "llama-index cohere"
    path = "/v2/rerank"

    def errors(self) -> tuple[type[BaseException], ...]:
        from cohere.core.api_error import ApiError

        return (ApiError,)

    def postprocessor(self, server: Server, top_n: int) -> Any:
        from llama_index.postprocessor.cohere_rerank import CohereRerank

        return CohereRerank(top_n=top_n, model=MODEL, api_key=server.key, base_url=server.url)


class LlamaIndexJina(_LlamaIndex):
    name = "llama-index jina"
    path = "/v1/rerank"

    def postprocessor(self, server: Server, top_n: int) -> Any:
        from llama_index.postprocessor.jinaai_rerank import JinaRerank

        return JinaRerank(top_n=top_n, model=MODEL, api_key=server.key, base_url=f"{server.url}/v1")


class LlamaIndexSiliconFlow(_LlamaIndex):
    name = "llama-index siliconflow"
    path = "/v1/rerank"

    def postprocessor(self, server: Server, top_n: int) -> Any:
        from llama_index.postprocessor.siliconflow_rerank import SiliconFlowRerank

        return SiliconFlowRerank(top_n=top_n, model=MODEL, api_key=server.key, base_url=f"{server.url}/v1/rerank")


class LlamaIndexXinference(_LlamaIndex):
    name = "llama-index xinference"
    path = "/v1/rerank"
    sends_key = False

    def errors(self) -> tuple[type[BaseException], ...]:
        return (Exception,)  # the library raises nothing more specific

    def postprocessor(self, server: Server, top_n: int) -> Any:
        from llama_index.postprocessor.xinference_rerank import XinferenceRerank

        return XinferenceRerank(top_n=top_n, model=MODEL, base_url=server.url)


class LlamaIndexTei(_LlamaIndex):
    name = "llama-index tei"
    path = "/rerank"

    def errors(self) -> tuple[type[BaseException], ...]:
        return (AssertionError, TypeError)  # the library looks at no status and stumbles over the error's body

    def postprocessor(self, server: Server, top_n: int) -> Any:
        from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

        return TextEmbeddingInference(top_n=top_n, base_url=server.url, auth_token=f"Bearer {server.key}")


ADAPTERS = (LlamaIndexCohere, LlamaIndexJina, LlamaIndexSiliconFlow, LlamaIndexXinference, LlamaIndexTei)
