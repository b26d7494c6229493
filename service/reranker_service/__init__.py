"""The reranker service: Qwen3 rerankers on vLLM behind one HTTP API."""

__version__ = "0.1.0"
