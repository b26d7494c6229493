"""The ASGI application: routes, errors and the gate around one service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from reranker_service import __version__
from reranker_service.api import health, models, rerank, score, tei
from reranker_service.api.errors import install_error_handlers
from reranker_service.api.gate import Gate
from reranker_service.engines.protocol import Engine
from reranker_service.service import RerankService
from reranker_service.settings import Settings

STOP_TIMEOUT_S = 5.0


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

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start(on_failed)
        yield
        await service.stop(STOP_TIMEOUT_S)

    app = FastAPI(
        title="Reranker",
        version=__version__,
        description="Ranks documents by their relevance to a query with a Qwen3 reranker.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = service
    for dialect in (rerank, score, models, tei, health):
        app.include_router(dialect.create_router(service))
    install_error_handlers(app)
    app.add_middleware(Gate, service=service)
    return app
