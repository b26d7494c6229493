"""LiteLLM's rerank call, for each provider that takes a base address."""

from typing import ClassVar

from tests.clients.adapters.base import MODEL, Adapter, Asked, Hit, Server, hits_of, optional


class _LiteLlm(Adapter):
    environment = "newest"
    provider: ClassVar[str]
    below: ClassVar[str] = ""
    """What the provider needs behind the service's address."""

    def errors(self) -> tuple[type[BaseException], ...]:
        from openai import OpenAIError  # LiteLLM's own exceptions all are this one

        return (OpenAIError,)

    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        import litellm

        litellm.suppress_debug_info = True
        response = litellm.rerank(
            model=f"{self.provider}/{MODEL}", query=asked.query, documents=asked.documents, api_key=server.key,
            api_base=server.url + self.below, **optional(top_n=asked.top_n),
        )  # fmt: skip
        return hits_of(response.results)


class LiteLlmCohere(_LiteLlm):
    name = "litellm cohere"
    path = "/v2/rerank"
    provider = "cohere"
    below = "/v2/rerank"


class LiteLlmJina(_LiteLlm):
    name = "litellm jina_ai"
    path = "/v1/rerank"
    provider = "jina_ai"


class LiteLlmInfinity(_LiteLlm):
    name = "litellm infinity"
    path = "/infinity/rerank"
    provider = "infinity"
    below = "/infinity"


class LiteLlmVllm(_LiteLlm):
    name = "litellm hosted_vllm"
    path = "/rerank"
    provider = "hosted_vllm"


class LiteLlmHuggingFace(_LiteLlm):
    name = "litellm huggingface (TEI)"
    path = "/rerank"
    provider = "huggingface"


class LiteLlmVoyage(_LiteLlm):
    name = "litellm voyage"
    path = "/voyage/v1/rerank"
    provider = "voyage"
    below = "/voyage"


ADAPTERS = (LiteLlmCohere, LiteLlmJina, LiteLlmInfinity, LiteLlmVllm, LiteLlmHuggingFace, LiteLlmVoyage)
