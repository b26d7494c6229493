"""Text Embeddings Inference's dialect over the whole application with a scripted engine."""

import asyncio
from typing import Any

import pytest
from tests.unit.service.conftest import RunApp
from tests.unit.service.dialects import DOCUMENTS, LONG, SHARED, best_first, log_odds, post

from reranker_service.scoring.ordering import sigmoid

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", SHARED)
async def test_tei_gets_a_bare_array(run_app: RunApp, path: str) -> None:
    async with run_app() as app:
        expected = await log_odds(app)
        response = await post(app, path, query="shoes", texts=DOCUMENTS)
        raw = (await post(app, path, query="shoes", texts=DOCUMENTS, raw_scores=True, return_text=True)).json()
    order = best_first(expected)
    assert response.json() == [{"index": index, "score": sigmoid(expected[index])} for index in order]
    assert raw == [{"index": index, "score": expected[index], "text": DOCUMENTS[index]} for index in order]
    assert int(response.headers["x-compute-tokens"]) > 0
    assert response.headers["x-compute-characters"] == str(4 * len("shoes") + sum(map(len, DOCUMENTS)))
    for name in ("total", "tokenization", "queue", "inference"):
        assert int(response.headers[f"x-{name}-time"]) >= 0


@pytest.mark.parametrize(
    ("body", "status", "error_type", "message"),
    [
        ({"query": "a", "texts": []}, 400, "Empty", "texts: must not be empty"),
        ({"query": " ", "texts": ["b"]}, 422, "Validation", "query: must not be empty"),
        ({"texts": ["b"]}, 422, "Validation", "query: this field is required"),
        ({"query": "a", "texts": ["b", 1]}, 422, "Validation", "texts[1]: must be a string"),
        ({"query": "a", "texts": ["b"], "truncation_direction": "Left"}, 422, "Validation", "truncation_direction"),
        ({"query": LONG, "texts": ["b"]}, 422, "Validation", "the query and instruction need"),
        ({"query": "a", "texts": ["b", LONG], "truncate": False}, 422, "Validation", "texts[1] is longer"),
        ({"query": "a", "texts": list("abcdef")}, 422, "Validation", "texts: 6 are more than the 5 allowed"),
    ],
)
async def test_tei_reads_errors_in_its_own_form(
    run_app: RunApp, body: dict[str, Any], status: int, error_type: str, message: str
) -> None:
    async with run_app(max_documents=5) as app:
        response = await post(app, "/rerank", **body)
        assert app.engine.calls == []
        assert app.metric("queued_documents") == 0
    assert response.status_code == status
    assert set(response.json()) == {"error", "error_type"}
    assert response.json()["error_type"] == error_type
    assert message in response.json()["error"]


async def test_a_full_queue_is_overloaded_in_teis_words(run_app: RunApp) -> None:
    async with run_app(max_documents=2, max_queued_documents=2) as app:
        app.engine.gate.clear()
        waiting = asyncio.create_task(post(app, "/rerank", query="a", texts=["b"]))
        await app.engine.wait_entered()
        refused = await post(app, "/rerank", query="a", texts=["b", "c"])
        app.engine.gate.set()
        assert (await waiting).status_code == 200
    assert (refused.status_code, refused.json()["error_type"]) == (429, "Overloaded")
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize("truncate", [True, None])
async def test_tei_texts_are_cut_unless_that_is_forbidden(run_app: RunApp, truncate: bool | None) -> None:
    async with run_app() as app:
        response = await post(
            app, "/rerank", query="a", texts=["b", LONG], truncate=truncate, truncation_direction="Right"
        )
    assert {result["index"]: result.get("truncated") for result in response.json()} == {0: None, 1: True}


async def test_tei_info_names_model_and_limits(run_app: RunApp) -> None:
    async with run_app(max_documents=7) as app:
        body = (await app.client.get("/info")).json()
    assert body["model_id"] == app.service.settings.model_name
    assert (body["max_input_length"], body["max_client_batch_size"]) == (160, 7)
    assert "reranker" in body["model_type"]
