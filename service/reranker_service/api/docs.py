"""`/docs`: the OpenAPI schema as a page whose parts all come from this server, since a pod may reach nothing else."""

import gzip
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
FOLDER = Path(__file__).with_name("swagger")
# An empty image: without one browsers ask for the framework's icon, on a server elsewhere.
NO_ICON = "data:,"


def create_router(title: str) -> APIRouter:
    """The page and its assets. They are stored compressed and sent so to whoever takes that."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def page() -> HTMLResponse:
        """Swagger UI over `/openapi.json`, at whatever path prefix an ingress puts this server."""
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=title,
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url=NO_ICON,
        )

    def add(name: str, media_type: str) -> None:
        compressed = (FOLDER / f"{name}.gz").read_bytes()

        @router.get(f"/docs/{name}")
        async def asset(request: Request) -> Response:
            headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
            if "gzip" not in request.headers.get("accept-encoding", ""):
                return Response(gzip.decompress(compressed), media_type=media_type, headers=headers)
            return Response(compressed, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})

    for name, media_type in ASSETS.items():
        add(name, media_type)
    return router
