"""vLLM's /score over the whole application with a scripted engine."""

from typing import Any

import pytest
from tests.unit.service.conftest import RunApp
from tests.unit.service.dialects import DOCUMENTS, LONG, log_odds, post

from reranker_service.scoring.ordering import sigmoid

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
@pytest.mark.parametrize(
    "names", [("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")]
)
async def test_one_query_is_scored_with_each_text_in_the_requests_order(
    run_app: RunApp, path: str, names: tuple[str, str]
) -> None:
    async with run_app() as app:
        expected = await log_odds(app)
        body = (await app.client.post(path, json={names[0]: "shoes", names[1]: DOCUMENTS})).json()
        single = (await app.client.post(path, json={names[0]: ["shoes"], names[1]: DOCUMENTS[1]})).json()
    assert body["object"] == "list"
    assert body["data"] == [
        {"index": index, "object": "score", "score": sigmoid(value)} for index, value in enumerate(expected)
    ]
    assert [item["score"] for item in single["data"]] == [sigmoid(expected[1])]


async def test_each_text_may_have_a_query_of_its_own(run_app: RunApp) -> None:
    queries = ["shoes", "a jacket for winter", "shoes", "shoes"]
    documents = ["red shoes", "green jacket", "blue shoes", "red shoes"]
    async with run_app() as app:
        alone = [
            (await log_odds(app, [document], query=query))[0]
            for query, document in zip(queries, documents, strict=True)
        ]
        app.engine.forget_warmup()
        response = await post(app, "/score", text_1=queries, text_2=documents, use_activation=False)
        scored = [ids for call in app.engine.calls for ids in call]
    body = response.json()
    assert [item["score"] for item in body["data"]] == alone
    assert len(scored) == 3  # the first and the last pair are one
    assert body["usage"]["prompt_tokens"] == sum(map(len, scored))


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"text_1": ["a", "b"], "text_2": ["c", "d", "e"]}, "text_1", "has 2 texts and text_2 has 3"),
        ({"text_1": ["a", "b"], "text_2": "c"}, "text_1", "has 2 texts and text_2 has 1"),
        ({"text_1": "a"}, "text_2", "required beside text_1"),
        ({"documents": ["a"]}, "queries", "required beside documents"),
        ({"model": "x"}, "text_1", "required"),
        ({"text_1": " ", "text_2": "b"}, "text_1[0]", "must not be empty"),
        ({"text_1": "a", "text_2": []}, "text_2", "must not be empty"),
        ({"text_1": "a", "text_2": ["b", 3]}, "text_2[1]", "must be a string"),
        ({"text_1": "a", "text_2": list("abcdef")}, "text_2", "6 are more than the 5 allowed"),
    ],
)
async def test_sides_that_do_not_fit_are_named(run_app: RunApp, body: dict[str, Any], param: str, message: str) -> None:
    async with run_app(max_documents=5) as app:
        response = await app.client.post("/score", json=body)
        assert app.engine.calls == []
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert message in response.json()["message"]


async def test_one_query_without_room_fails_all_pairs(run_app: RunApp) -> None:
    async with run_app() as app:
        response = await post(app, "/score", queries=["a", LONG], documents=["b", "c"])
        assert app.engine.calls == []
    assert (response.status_code, response.json()["error"]["param"]) == (422, "queries")
