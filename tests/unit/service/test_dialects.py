"""The body that Cohere, Jina and vLLM share, and what is the same for every dialect, with a scripted engine."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.service.conftest import RunApp
from tests.unit.service.dialects import DOCUMENTS, LONG, SHARED, best_first, log_odds, post

from reranker_service.scoring.ordering import sigmoid

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", SHARED)
async def test_cohere_jina_and_vllm_share_one_answer(run_app: RunApp, path: str) -> None:
    async with run_app() as app:
        expected = await log_odds(app)
        body = (await post(app, path, query="shoes", documents=DOCUMENTS, model="rerank-v3.5")).json()
    assert [result["index"] for result in body["results"]] == best_first(expected)
    assert set(body) == {"id", "model", "results", "usage", "meta"}
    assert body["model"] == app.service.settings.model_name
    assert body["meta"] == {
        "api_version": {"version": "2" if path == "/v2/rerank" else "1"},
        "billed_units": {"search_units": 1},
        "tokens": {"input_tokens": body["usage"]["prompt_tokens"], "output_tokens": 0},
    }


async def test_a_search_unit_is_a_hundred_documents(run_app: RunApp) -> None:
    async with run_app() as app:
        for count, units in ((100, 1), (101, 2)):
            body = (await app.rerank([str(number) for number in range(count)])).json()
            assert body["meta"]["billed_units"]["search_units"] == units


async def test_objects_stand_for_the_fields_that_are_ranked_by(run_app: RunApp) -> None:
    objects = [{"title": "red shoes", "price": 5, "text": "not this"}, {"title": "blue shoes", "note": None}]
    async with run_app() as app:
        plain = (await app.rerank(["red shoes\n5", "blue shoes"], return_documents=True)).json()["results"]
        by_field = await app.rerank(objects, rank_fields=["title", "price"], return_documents=True)
        assert by_field.json()["results"] == plain
        missing = await app.rerank([*objects, {"name": "x"}], rank_fields=["title", "price"])
    assert missing.json()["error"]["param"] == "documents[2]"
    assert "one of the fields title, price" in missing.json()["message"]


async def test_results_below_a_lowest_score_are_left_out(run_app: RunApp) -> None:
    async with run_app() as app:
        values = sorted(await log_odds(app), reverse=True)
        limit = (values[1] + values[2]) / 2
        as_log_odds = (await app.rerank(DOCUMENTS, min_score=limit, raw_scores=True)).json()["results"]
        as_probability = (await app.rerank(DOCUMENTS, min_score=sigmoid(limit))).json()["results"]
        nothing = (await app.rerank(DOCUMENTS, min_score=1.1)).json()["results"]
        both = (await app.rerank(DOCUMENTS, min_score=sigmoid(limit), top_n=1)).json()["results"]
        bad = await app.client.post(
            "/rerank", content=b'{"query": "a", "documents": ["b"], "min_score": NaN}',
            headers={"content-type": "application/json"},
        )  # fmt: skip
    assert [result["relevance_score"] for result in as_log_odds] == values[:2]
    assert len(as_probability) == 2
    assert nothing == []
    assert len(both) == 1
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "min_score")


@pytest.mark.parametrize("flag", [{"raw_scores": True}, {"use_activation": False}])
async def test_log_odds_can_be_asked_for_in_two_words(run_app: RunApp, flag: dict[str, bool]) -> None:
    async with run_app() as app:
        expected = await log_odds(app)
        found = (await app.rerank(DOCUMENTS, **flag)).json()["results"]
    assert [result["relevance_score"] for result in found] == sorted(expected, reverse=True)


@pytest.mark.parametrize(("limit", "kept"), [(2, 2), (4096, None), (0, None), (None, None)])
async def test_documents_are_cut_to_the_tokens_a_request_allows(
    run_app: RunApp, limit: int | None, kept: int | None
) -> None:
    documents = ["one", "one two three four five"]
    async with run_app() as app:
        await app.rerank(documents)
        whole = sorted(len(ids) for call in app.engine.calls for ids in call)
        app.engine.forget_warmup()
        body = (await app.rerank(documents, max_tokens_per_doc=limit)).json()
        cut = sorted(len(ids) for call in app.engine.calls for ids in call)
        assert body["usage"]["prompt_tokens"] == sum(cut)
    assert cut == ([whole[0], whole[0] + 1] if kept else whole)
    marks = {result["index"]: result.get("truncated") for result in body["results"]}
    assert marks == {0: None, 1: True if kept else None}
    assert ("warnings" in body["meta"]) is bool(kept)


async def test_a_whole_prompt_can_be_limited_and_keeps_its_end(run_app: RunApp) -> None:
    async with run_app() as app:
        await app.rerank([LONG], truncate_prompt_tokens=-1)
        ((longest,),) = app.engine.calls
        app.engine.forget_warmup()
        body = (await app.rerank([LONG], truncate_prompt_tokens=100)).json()
        ((shorter,),) = app.engine.calls
        refused = await app.rerank(["a"], truncate_prompt_tokens=10)
    assert (len(longest), len(shorter)) == (160, 100)
    assert shorter[-10:] == longest[-10:]
    assert body["results"][0]["truncated"] is True
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "query_too_long")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens_per_doc": -1}, "max_tokens_per_doc"),
        ({"truncate_prompt_tokens": 0}, "truncate_prompt_tokens"),
        ({"truncation_side": "left"}, "truncation_side"),
        ({"min_score": "high"}, "min_score"),
        ({"rank_fields": "title"}, "rank_fields"),
    ],
)
async def test_a_limit_that_means_nothing_is_refused(run_app: RunApp, fields: dict[str, Any], param: str) -> None:
    async with run_app() as app:
        response = await app.rerank(["a"], **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


async def test_a_body_that_is_not_said_to_be_json_is_told_so(run_app: RunApp) -> None:
    async with run_app() as app:
        response = await app.client.post(
            "/rerank", content=b'{"query": "a", "documents": ["b"]}',
            headers={"content-type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
    assert response.status_code == 400
    assert "Content-Type: application/json" in response.json()["message"]


async def test_blank_documents_have_scores_like_any_other(run_app: RunApp) -> None:
    async with run_app() as app:
        body = (await app.rerank(["", " ", "\n\t", "shoes"])).json()
    assert sorted(result["index"] for result in body["results"]) == [0, 1, 2, 3]


# What is served


async def test_models_are_listed_and_described_whatever_the_name(run_app: RunApp) -> None:
    async with run_app() as app:
        (listed,) = (await app.client.get("/v1/models")).json()["data"]
        described = (await app.client.get("/v1/models/some/other-reranker")).json()
    assert listed["id"] == app.service.settings.model_name
    assert described == listed
    assert described["model_type"] == "rerank"


async def test_xinferences_client_is_told_without_a_key_whether_one_is_needed(run_app: RunApp, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a-key\n")
    async with run_app() as app:
        assert (await app.client.get("/v1/cluster/auth")).json() == {"auth": False}
    async with run_app(api_keys_file=str(keys)) as app:
        assert (await app.client.get("/v1/cluster/auth")).json() == {"auth": True}
        assert (await app.client.get("/v1/models")).status_code == 401


async def test_the_work_of_every_dialect_is_measured_under_its_path(run_app: RunApp) -> None:
    async with run_app() as app:
        for path in (*SHARED, "/infinity/rerank", "/voyage/v1/rerank"):
            assert (await post(app, path, query="a", documents=["b"])).status_code == 200
        assert (await post(app, "/v1/reranking", query="a", input=["b"])).status_code == 200
        assert (await post(app, "/score", text_1="a", text_2="b")).status_code == 200
        for path in (*SHARED, "/infinity/rerank", "/voyage/v1/rerank", "/v1/reranking", "/score"):
            labels = {"route": path, "outcome": "ok", "documents": "1-100"}
            assert app.metric("request_duration_seconds_count", **labels) == 1


# Limits of the configuration


async def test_the_configured_length_of_a_document_holds_for_every_request(run_app: RunApp) -> None:
    async with run_app(max_document_tokens=3) as app:
        body = (await app.rerank(["one", "one two three four five"], max_tokens_per_doc=100)).json()
        lengths = sorted(len(ids) for call in app.engine.calls for ids in call)
        app.engine.forget_warmup()
        await app.rerank(["one", "one two three four five"], max_tokens_per_doc=2)
        shorter = sorted(len(ids) for call in app.engine.calls for ids in call)
    assert lengths[1] - lengths[0] == 2
    assert shorter[1] - shorter[0] == 1
    assert {result["index"]: result.get("truncated") for result in body["results"]} == {0: None, 1: True}


async def test_a_queue_full_of_tokens_refuses_the_whole_request_before_the_engine_sees_it(run_app: RunApp) -> None:
    async with run_app() as app:
        await app.rerank(["b"])
        ((prompt,),) = app.engine.calls
    async with run_app(max_queued_tokens=3 * len(prompt)) as app:
        app.engine.gate.clear()
        waiting = asyncio.create_task(app.rerank(["b", "c"]))
        await app.engine.wait_entered()
        refused = await app.rerank(["d", "e"])
        never = await app.rerank(["d", "e", "f", "g"])
        app.engine.gate.set()
        assert (await waiting).status_code == 200
        assert (await app.rerank(["d", "e", "f"])).status_code == 200
        assert app.metric("queued_documents") == 0
        assert sum(map(len, app.engine.calls)) == 5
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
    assert "prompt tokens are queued" in refused.json()["message"]
    assert (never.status_code, never.json()["error"]["code"]) == (400, "too_many_tokens")
