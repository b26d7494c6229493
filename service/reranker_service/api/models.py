"""What is served, as OpenAI's and Xinference's clients ask for it."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from reranker_service.api import examples
from reranker_service.api.dialect import now
from reranker_service.api.paths import AUTH_PATH
from reranker_service.service import RerankService

LIST = {"object": "list", "data": [examples.MODEL]}
# Described here, since a parameter of the handler would bring a 422 along that can't happen.
NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Any name."}


def create_router(service: RerankService) -> APIRouter:
    """`/v1/models`, one model's description, and whether keys are needed."""
    router = APIRouter(tags=["description"])
    created = now()

    def description() -> dict[str, Any]:
        settings = service.settings
        return {
            "id": settings.model_name,
            "object": "model",
            "created": created,
            "owned_by": "reranker-service",
            "root": settings.model_name,
            "parent": None,
            "max_model_len": settings.max_model_len,
            "model_type": "rerank",
            "model_name": settings.model_name,
        }

    @router.get("/v1/models", summary="The one model that is served", responses=examples.answer(LIST))
    async def models() -> JSONResponse:
        """A list with one entry, in OpenAI's form."""
        return JSONResponse({"object": "list", "data": [description()]})

    @router.get(AUTH_PATH, summary="Whether an API key is needed", responses=examples.answer({"auth": True}))
    async def auth() -> JSONResponse:
        """Xinference's client asks this first, without a key, and sends its key only where the answer is true."""
        return JSONResponse({"auth": service.settings.server.api_keys_file is not None})

    @router.get(
        "/v1/models/{name:path}", summary="A model's description", responses=examples.answer(examples.MODEL),
        openapi_extra={"parameters": [NAME]},
    )  # fmt: skip
    async def model() -> JSONResponse:
        """The served model, whatever the name: requests may name any model, too. Xinference's client asks for this."""
        return JSONResponse(description())

    return router
