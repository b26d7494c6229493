"""The schema that is checked in is the application's own, and its page needs nothing from elsewhere."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from tests.unit.service.conftest import RunApp

from reranker_service.api import openapi

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
    return loaded


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{verb} {path}", spec) for path, verbs in document["paths"].items() for verb, spec in verbs.items()]


def test_the_checked_in_schema_is_what_the_application_says() -> None:
    written = (ROOT / "docs" / "openapi.json").read_text()
    assert written == openapi.schema(), "run python -m reranker_service.api.openapi"


def test_no_setting_changes_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    before = openapi.schema()
    monkeypatch.setenv("RERANKER_SERVER__MAX_DOCUMENTS", "7")
    assert openapi.schema() == before


def test_every_route_is_described(document: dict[str, Any]) -> None:
    for name, spec in operations(document):
        assert spec["summary"], name
        assert len(spec["description"]) > 20, name
        if name.startswith("post "):
            assert spec["requestBody"]["content"]["application/json"]["examples"], name
            assert spec["responses"]["200"]["content"]["application/json"]["example"], name
            assert {"400", "401", "413", "422", "429", "500", "503"} <= set(spec["responses"]), name


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": document["components"]}


def test_the_examples_of_answers_are_of_their_own_schema(document: dict[str, Any]) -> None:
    for name, spec in operations(document):
        content = spec["responses"]["200"].get("content", {}).get("application/json", {})
        if "example" in content and content.get("schema"):
            Draft202012Validator(resolved(document, content["schema"])).validate(content["example"])
            assert name


async def test_the_examples_of_requests_are_answered(run_app: RunApp, document: dict[str, Any]) -> None:
    async with run_app() as app:
        asked = 0
        for name, spec in operations(document):
            for example in (
                spec.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {}).values()
            ):
                response = await app.client.post(name.removeprefix("post "), json=example["value"])
                assert response.status_code == 200, (name, response.text)
                schema = spec["responses"]["200"]["content"]["application/json"]["schema"]
                Draft202012Validator(resolved(document, schema)).validate(response.json())
                asked += 1
    assert asked >= 15


async def test_every_route_of_the_application_is_in_the_schema_or_hidden_on_purpose(
    run_app: RunApp, document: dict[str, Any]
) -> None:
    async with run_app() as app:
        paths = {route.path.replace(":path", "") for route in app.asgi.routes if isinstance(route, APIRoute)}
    hidden = {path for path in paths if path.startswith("/docs")}
    assert paths - hidden == set(document["paths"])


async def test_the_page_loads_only_what_this_server_has(run_app: RunApp) -> None:
    async with run_app() as app:
        page = await app.client.get("/docs")
        assert page.status_code == 200
        links = re.findall(r"""(?:src|href|url)(?:=|: )["']([^"']+)["']""", page.text)
        assert len(links) == 4
        for link in links:
            if not link.startswith("data:"):
                assert (await app.client.get(f"/{link}")).status_code == 200, link
    assert "://" not in page.text


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css"])
async def test_assets_are_sent_compressed_to_whoever_takes_that(run_app: RunApp, name: str) -> None:
    async with run_app() as app:
        plain = await app.client.get(f"/docs/{name}", headers={"accept-encoding": "identity"})
        async with app.client.stream("GET", f"/docs/{name}", headers={"accept-encoding": "gzip"}) as response:
            raw = b"".join([part async for part in response.aiter_raw()])
        assert isinstance(response, httpx.Response)
    assert "content-encoding" not in plain.headers
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
