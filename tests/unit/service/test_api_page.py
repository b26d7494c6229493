"""What docs/api.md shows can be done as it stands there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.service.conftest import RunApp

from reranker_service.api.errors import _TABLE
from reranker_service.api.paths import OPEN_ROUTES, WORK_ROUTES

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
CALL = re.compile(
    r"```console\ncurl -s http://127\.0\.0\.1:8000(\S+) [^\n]*?-d '(.*?)'\n```\n\n```json\n(.*?)```", re.DOTALL
)
CALLS = CALL.findall(PAGE)


def shape(value: Any) -> Any:
    """The structure of an answer: names and types, without what differs from run to run."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_every_call_on_the_page_is_found() -> None:
    assert len(CALLS) == PAGE.count("curl -s") >= 7


@pytest.mark.parametrize(("path", "body", "answer"), CALLS, ids=[path for path, _, _ in CALLS])
async def test_a_call_is_answered_in_the_shape_that_the_page_shows(
    run_app: RunApp, path: str, body: str, answer: str
) -> None:
    async with run_app() as app:
        response = await app.client.post(path, json=json.loads(body))
    shown = json.loads(answer)
    assert shape(response.json()) == shape(shown)
    if "error" in shown:
        assert response.json() == shown
    else:
        assert response.status_code == 200


def test_every_route_of_work_and_every_open_route_is_named() -> None:
    for path in WORK_ROUTES | OPEN_ROUTES:
        assert f"`{path}`" in PAGE or f"{path}`" in PAGE or f"`POST {path}`" in PAGE, path


def test_every_code_of_an_error_is_named() -> None:
    for _, _, _, code in _TABLE:
        assert f"`{code}`" in PAGE or code in {"not_serving", "client_gone"}, code
