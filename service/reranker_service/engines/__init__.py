"""The engines: each turns token ids into log-odds, and knows nothing of requests."""

from reranker_service.engines.protocol import Engine
from reranker_service.settings import Settings


def create_engine(settings: Settings) -> Engine:
    """The engine that the settings select, not loaded yet. Imports nothing heavy: `load` does."""
    if settings.backend == "qwen3_vllm":
        from reranker_service.engines.vllm_generate import VllmGenerateEngine  # noqa: PLC0415

        return VllmGenerateEngine(settings)
    if settings.backend == "qwen3_packed":
        from reranker_service.engines.packed.engine import PackedEngine  # noqa: PLC0415

        return PackedEngine(settings)
    from reranker_service.engines.vllm_score import VllmScoreEngine  # noqa: PLC0415

    return VllmScoreEngine(settings)
