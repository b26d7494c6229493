"""Probes, what is running here, and the metrics."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from reranker_service import __version__
from reranker_service.lifecycle import Phase
from reranker_service.service import RerankService


def create_router(service: RerankService) -> APIRouter:
    """`/livez`, `/readyz`, `/health` and `/metrics` of one service."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="Should the process go on?")
    async def livez() -> JSONResponse:
        """503 when only a restart can help: the engine is dead or stuck. Loading and draining are alive."""
        trouble = service.trouble()
        if trouble is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "dead", "reason": trouble}, 503)

    @router.get("/readyz", summary="Should traffic be sent here?")
    async def readyz() -> JSONResponse:
        """200 once the model is loaded, warm and proved, until the process is told to leave."""
        return _with_status(service, {"status": _status(service)})

    @router.get("/health", summary="What runs here, and how it is")
    async def health() -> JSONResponse:
        """Configuration in effect and state; 503 with the same body while not ready."""
        return _with_status(service, describe(service))

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        """All metrics in the text format."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router


def describe(service: RerankService) -> dict[str, Any]:
    """The body of `/health`."""
    settings, model, loading = service.settings, service.model, service.loading
    server = settings.server
    return {
        "status": _status(service),
        "reason": service.trouble(),
        "loading": None if loading is None else loading.as_json(),
        "backend": settings.backend,
        "instruction_format": settings.instruction_format,
        "instruction": settings.instruction,
        "model": settings.model_name,
        "model_revision": model.checkpoint.revision if model else settings.revision,
        "max_model_len": settings.max_model_len,
        "dtype": settings.dtype,
        "limits": {
            "max_documents": server.max_documents,
            "max_document_tokens": server.max_document_tokens,
            "max_queued_documents": server.max_queued_documents,
            "max_queued_tokens": server.max_queued_tokens,
            "max_body_bytes": server.max_body_bytes,
            "request_timeout_s": server.request_timeout_s,
            "infer_batch_size": settings.infer_batch_size,
        },
        "score_check": service.score_check.as_json(),
        "version": __version__,
        "engine_version": service.engine.version,
    }


def _status(service: RerankService) -> str:
    """The phase, except that a ready process whose engine is in trouble is not well."""
    if service.lifecycle.phase is Phase.READY and service.trouble() is not None:
        return "dead"
    return service.lifecycle.phase.value


def _with_status(service: RerankService, body: dict[str, Any]) -> JSONResponse:
    return JSONResponse(body, 200 if _status(service) == Phase.READY.value else 503)
