"""Voyage's, Infinity's and Mixedbread's dialects over the whole application with a scripted engine."""

from typing import Any

import pytest
from tests.unit.service.conftest import RunApp
from tests.unit.service.dialects import DOCUMENTS, LONG, SHARED, best_first, log_odds, post

from reranker_service.scoring.ordering import sigmoid

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fields", [{"top_k": 2}, {"truncation": True, "top_k": None}])
@pytest.mark.parametrize("path", ["/v1/rerank", "/voyage/v1/rerank"])
async def test_voyage_gets_data_and_plain_documents(run_app: RunApp, path: str, fields: dict[str, Any]) -> None:
    async with run_app() as app:
        expected = await log_odds(app)
        body = (await post(app, path, query="shoes", documents=DOCUMENTS, return_documents=True, **fields)).json()
    order = best_first(expected)[: fields["top_k"]]
    assert body["object"] == "list"
    assert body["data"] == [
        {"index": index, "relevance_score": sigmoid(expected[index]), "document": DOCUMENTS[index]} for index in order
    ]
    assert body["usage"]["total_tokens"] > 0


async def test_voyage_may_forbid_cutting_and_reads_a_text_in_detail(run_app: RunApp) -> None:
    async with run_app() as app:
        response = await post(app, "/v1/rerank", query="a", documents=["b", LONG], top_k=None, truncation=False)
        bad = await post(app, "/v1/rerank", query="a", documents=["b"], top_k=0)
    assert (response.status_code, response.json()["error"]["param"]) == (422, "documents[1]")
    assert response.json()["detail"] == response.json()["message"]
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "top_k")


@pytest.mark.parametrize("path", SHARED)
async def test_cutting_may_be_forbidden_in_the_shared_body_too(run_app: RunApp, path: str) -> None:
    async with run_app() as app:
        allowed = await post(app, path, query="a", documents=["b", LONG], truncation=True)
        refused = await post(app, path, query="a", documents=["b", LONG], truncation=False)
    assert allowed.json()["results"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "document_too_long")


async def test_infinity_gets_plain_documents_and_a_list_of_faults(run_app: RunApp) -> None:
    async with run_app() as app:
        body = (
            await post(app, "/infinity/rerank", query="shoes", documents=DOCUMENTS, return_documents=True, top_n=2)
        ).json()
        bad = await post(app, "/infinity/rerank", query=LONG, documents=["b"])
    assert (body["object"], len(body["results"])) == ("rerank", 2)
    assert all(result["document"] == DOCUMENTS[result["index"]] for result in body["results"])
    assert (bad.status_code, bad.json()["detail"][0]["loc"]) == (422, ["body", "query"])


async def test_mixedbread_gets_scores_and_inputs(run_app: RunApp) -> None:
    async with run_app() as app:
        expected = await log_odds(app)
        body = (await post(app, "/v1/reranking", query="shoes", input=DOCUMENTS, top_k=2, return_input=True)).json()
        bad = await post(app, "/v1/reranking", query="shoes", input=[])
    assert [item["index"] for item in body["data"]] == best_first(expected)[:2]
    assert all(item["input"] == DOCUMENTS[item["index"]] for item in body["data"])
    assert (body["top_k"], body["return_input"], body["object"]) == (2, True, "list")
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "input")
