"""The ASGI application: routes, errors and the gate around one service."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from reranker_service import __version__
from reranker_service.api import docs, health, models, rerank, score, tei
from reranker_service.api.errors import install_error_handlers
from reranker_service.api.gate import Gate
from reranker_service.auth import KeyFile
from reranker_service.engines.protocol import Engine
from reranker_service.service import RerankService
from reranker_service.settings import Settings
from reranker_service.tracing import create_tracing

STOP_TIMEOUT_S = 5.0
# A collector that does not answer must not hold up a process that leaves.
TRACING_STOP_S = 3.0
TITLE = "Reranker"
DESCRIPTION = """Ranks documents by their relevance to a query with a Qwen3 reranker.

Clients of Cohere, Jina, vLLM, Text Embeddings Inference, Infinity, Xinference, Voyage and Mixedbread work with it when
their address is changed. Where API keys are configured, send one as `Authorization: Bearer <key>`.
"""
# For the schema only: keys are checked by the gate, before a body is read.
BEARER = HTTPBearer(auto_error=False, scheme_name="API key", description="Needed where API keys are configured.")


def create_app(
    settings: Settings, engine: Engine, *, on_failed: Callable[[BaseException], None] = lambda _: None
) -> FastAPI:
    """An application that starts to load its model when it starts up, and answers probes meanwhile.

    Args:
        settings: validated configuration.
        engine: not loaded yet; it is closed when the application shuts down.
        on_failed: called when the model can't be loaded.

    Returns:
        The application; `app.state.service` is its service.
    """
    service = RerankService(settings, engine)
    keys = None if settings.server.api_keys_file is None else KeyFile(Path(settings.server.api_keys_file))
    tracing = create_tracing(
        {"reranker.backend": settings.backend, "reranker.instruction_format": settings.instruction_format}
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start(on_failed)
        yield
        await service.stop(STOP_TIMEOUT_S)
        if tracing is not None:
            await _within(TRACING_STOP_S, tracing.close)

    app = FastAPI(
        title=TITLE, version=__version__, description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.service = service
    for dialect in (rerank, score, models, tei):
        app.include_router(dialect.create_router(service), dependencies=[Depends(BEARER)])
    app.include_router(health.create_router(service))
    app.include_router(docs.create_router(TITLE))
    install_error_handlers(app)
    app.add_middleware(Gate, service=service, keys=keys, tracing=tracing)
    return app


async def _within(seconds: float, function: Callable[[], None]) -> None:
    """Call a blocking function and wait for it no longer than so; it goes on alone after that."""
    thread = threading.Thread(target=function, name="tracing-stop", daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join, seconds)
