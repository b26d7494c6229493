"""Which clients are asked, and what is checked with each."""

from tests.clients.adapters import cohere, haystack, langchain, litellm, llama_index, others
from tests.clients.adapters.base import Adapter

ADAPTERS: tuple[type[Adapter], ...] = (
    *cohere.ADAPTERS,
    *langchain.ADAPTERS,
    *haystack.ADAPTERS,
    *llama_index.ADAPTERS,
    *litellm.ADAPTERS,
    *others.ADAPTERS,
)
CHECKS = (
    "ranks", "top_n", "documents", "key", "empty query", "no documents", "top_n 0", "long query", "large body",
    "full queue", "loading",
)  # fmt: skip
