"""`POST /rerank` and the probes, over the whole application with a scripted engine."""

import asyncio
import itertools
import json
from typing import Any

import httpx
import pytest
from tests.unit.service.conftest import RunApp
from tests.unit.service.scripted import ScriptedEngine, rule

from reranker_service.engines.protocol import EngineDead, EngineError, EngineLoadError
from reranker_service.scoring.ordering import sigmoid

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error object, after checking the parts of the body that other clients read."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error", "detail", "message"}
    assert body["message"] == body["error"]["message"]
    assert (body["detail"][0]["msg"] if status == 422 else body["detail"]) == body["message"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


async def test_results_come_best_first_with_the_index_in_the_request(run_app: RunApp) -> None:
    documents = [f"document {number}" for number in range(20)]
    async with run_app() as app:
        response = await app.rerank(documents)
        raw = await app.rerank(documents, raw_scores=True)
    body = response.json()
    assert response.status_code == 200
    assert body["id"].startswith("rerank-")
    assert body["model"] == app.service.settings.model_name
    assert sorted(result["index"] for result in body["results"]) == list(range(20))
    log_odds = {result["index"]: result["relevance_score"] for result in raw.json()["results"]}
    assert [result["index"] for result in body["results"]] == sorted(log_odds, key=lambda i: (-log_odds[i], i))
    for result in body["results"]:
        assert result["relevance_score"] == sigmoid(log_odds[result["index"]])
        assert set(result) == {"index", "relevance_score"}


async def test_scores_belong_to_their_documents_whatever_the_engine_was_given_first(run_app: RunApp) -> None:
    documents = ["short", "a very much longer document " * 3, "", "middle sized one"]
    engine = ScriptedEngine(batch_documents=3)
    async with run_app(engine) as app:
        together = (await app.rerank(documents, raw_scores=True)).json()["results"]
        lengths = [[len(ids) for ids in call] for call in engine.calls]
        for result in together:
            (alone,) = (await app.rerank([documents[result["index"]]], raw_scores=True)).json()["results"]
            assert alone["relevance_score"] == result["relevance_score"]
    assert [len(call) for call in lengths] == [3, 1]
    flat = list(itertools.chain(*lengths))
    assert flat == sorted(flat, reverse=True)


async def test_top_n_and_documents_on_request(run_app: RunApp) -> None:
    async with run_app() as app:
        body = (await app.rerank(["a", {"text": "b"}, "c"], top_n=2, return_documents=True)).json()
        everything = (await app.rerank(["a", "b"], top_n=50)).json()
    assert len(body["results"]) == 2
    for result in body["results"]:
        assert result["document"] == {"text": "abc"[result["index"]]}
    assert len(everything["results"]) == 2


async def test_null_means_not_given_and_unknown_fields_are_ignored(run_app: RunApp) -> None:
    async with run_app() as app:
        response = await app.rerank(
            ["a", "b"], top_n=None, return_documents=None, instruction=None, raw_scores=None, model="x", user={"y": 1}
        )
    assert response.status_code == 200
    assert len(response.json()["results"]) == 2


async def test_duplicates_are_scored_once_and_all_returned_in_order(run_app: RunApp) -> None:
    async with run_app() as app:
        body = (await app.rerank(["b", "a", "b", "a", "b"], raw_scores=True)).json()
        (call,) = app.engine.calls
        assert app.metric("deduplicated_documents_total") == 3
        assert app.metric("documents_total") == 5
    assert len(call) == 2
    by_index = {result["index"]: result["relevance_score"] for result in body["results"]}
    assert by_index[0] == by_index[2] == by_index[4] != by_index[1] == by_index[3]
    indices = [result["index"] for result in body["results"]]
    assert indices in ([0, 2, 4, 1, 3], [1, 3, 0, 2, 4])
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] == sum(len(ids) for ids in call)


async def test_a_cut_document_is_marked(run_app: RunApp) -> None:
    async with run_app(ScriptedEngine(max_prompt_tokens=100)) as app:
        body = (await app.rerank(["short", "word " * 500])).json()
        assert app.metric("truncated_documents_total") == 1
        assert max(len(ids) for call in app.engine.calls for ids in call) == 100
    marks = {result["index"]: result.get("truncated") for result in body["results"]}
    assert marks == {0: None, 1: True}


async def test_a_request_brings_its_own_instruction(run_app: RunApp) -> None:
    async with run_app() as app:
        await app.rerank(["a"])
        await app.rerank(["a"], instruction="Find the cheapest")
    first, second = (call[0] for call in app.engine.calls)
    assert first != second


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"query": " ", "documents": ["a"]}, "query", "must not be empty"),
        ({"documents": ["a"]}, "query", "required"),
        ({"query": 1, "documents": ["a"]}, "query", "must be a string"),
        ({"query": "a"}, "documents", "required"),
        ({"query": "a", "documents": []}, "documents", "send at least one document"),
        ({"query": "a", "documents": "b"}, "documents", "must be a list of strings or of objects with a text field"),
        ({"query": "a", "documents": ["b", 1]}, "documents[1]", 'must be a string, or an object like {"text": "..."}'),
        ({"query": "a", "documents": [{"txt": "b"}]}, "documents[0]", "must be a string, or an object"),
        ({"query": "a", "documents": ["b"], "top_n": 0}, "top_n", "at least 1; leave it out"),
        ({"query": "a", "documents": ["b"], "top_n": "x"}, "top_n", "must be a whole number"),
        ({"query": "a", "documents": ["b"], "instruction": ""}, "instruction", "must not be empty"),
        ({"query": "a", "documents": ["b"], "raw_scores": "maybe"}, "raw_scores", "must be true or false"),
        ({"query": "a", "documents": ["b"] * 6}, "documents", "6 are more than the 5 allowed"),
        ({"query": "\ud800", "documents": ["b"]}, "query", "no valid Unicode"),
        ({"query": "a", "documents": ["b", "\udfff"]}, "documents[1]", "no valid Unicode"),
        ([1], None, "must be a JSON object, such as one with query and documents"),
    ],
)
async def test_a_bad_request_is_answered_with_the_field_and_the_fix(
    run_app: RunApp, body: object, param: str | None, message: str
) -> None:
    async with run_app(max_documents=5) as app:
        response = await app.client.post("/rerank", content=json.dumps(body), headers=JSON)
        error = problem(response, 400)
        assert app.engine.calls == []
        assert app.metric("rejected_requests_total", reason=error["code"]) == 1
    assert error["param"] == param
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"


async def test_a_body_that_is_no_json(run_app: RunApp) -> None:
    async with run_app() as app:
        error = problem(await app.client.post("/rerank", content=b'{"query": ', headers=JSON), 400)
    assert error["code"] == "invalid_json"


async def test_a_query_that_leaves_no_room_is_unprocessable(run_app: RunApp) -> None:
    async with run_app() as app:
        error = problem(await app.rerank(["a"], query="word " * 200), 422)
        assert app.metric("queued_documents") == 0
    assert (error["param"], error["code"]) == ("query", "query_too_long")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused_however_it_comes(run_app: RunApp, chunked: bool) -> None:
    body = json.dumps({"query": "a", "documents": ["b" * 3000]}).encode()

    async def parts() -> Any:
        for start in range(0, len(body), 500):
            yield body[start : start + 500]

    async with run_app(max_body_bytes=2000) as app:
        response = await app.client.post("/rerank", content=parts() if chunked else body, headers=JSON)
        error = problem(response, 413)
        assert app.metric("rejected_requests_total", reason="body_too_large") == 1
        assert (await app.rerank(["b" * 1000])).status_code == 200
    assert "2000 bytes" in error["message"]


async def test_paths_and_methods_that_are_not_there_answer_in_the_same_form(run_app: RunApp) -> None:
    async with run_app() as app:
        problem(await app.client.get("/nothing"), 404)
        problem(await app.client.get("/rerank"), 405)


async def test_an_engine_failure_fails_the_request_and_gives_no_score(run_app: RunApp) -> None:
    async with run_app() as app:
        app.engine.fail = lambda _: EngineError("the card is on fire")
        response = await app.rerank(["a", "b"])
        error = problem(response, 503)
        assert response.headers["retry-after"] == "1"
        app.engine.fail = lambda _: None
        assert (await app.rerank(["a"])).status_code == 200
        assert app.metric("queued_documents") == 0
    assert (error["code"], error["message"]) == ("engine_failed", "the engine failed: the card is on fire")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_one_document_without_a_number_fails_its_request(run_app: RunApp, value: float) -> None:
    async with run_app() as app:
        longest = len((await app.rerank(["x" * 50])) and app.engine.calls[0][0])
        app.engine.rule = lambda ids: value if len(ids) >= longest else rule(ids)
        error = problem(await app.rerank(["a", "x" * 50]), 503)
        assert (await app.rerank(["a"])).status_code == 200
    assert "for document 1" in error["message"]


async def test_an_exception_nobody_expected_is_a_500_that_gives_nothing_away(
    run_app: RunApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_app() as app:
        monkeypatch.setattr(app.service, "rank", lambda *_: 1 / 0)
        error = problem(await app.rerank(["secret"]), 500)
    assert error["code"] == "internal_error"
    assert "division" not in error["message"]


async def test_while_loading_the_process_lives_but_takes_no_work(run_app: RunApp) -> None:
    engine = ScriptedEngine()
    engine.load_gate.clear()
    async with run_app(engine, wait=False) as app:
        assert (await app.client.get("/livez")).status_code == 200
        ready = await app.client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "loading"})
        health = await app.client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "loading")
        response = await app.rerank(["a"])
        assert problem(response, 503)["code"] == "loading"
        assert int(response.headers["retry-after"]) >= 1
        assert app.metric("engine_up") == 0
        engine.load_gate.set()
        await app.ready()
        assert (await app.rerank(["a"])).status_code == 200
        assert app.metric("engine_up") == 1


async def test_health_says_what_runs_here(run_app: RunApp) -> None:
    async with run_app(max_documents=7) as app:
        body = (await app.client.get("/health")).json()
    assert (body["status"], body["backend"], body["instruction_format"]) == ("ok", "qwen3_vllm_score", "compact")
    assert (body["model"], body["max_model_len"]) == (app.service.settings.model_name, 160)
    assert body["limits"]["max_documents"] == 7
    assert body["engine_version"] == "scripted 1"


async def test_a_model_that_does_not_load_is_reported_and_never_ready(run_app: RunApp) -> None:
    engine = ScriptedEngine()
    engine.load_gate.clear()
    engine.load_error = EngineLoadError("OutOfMemory", "the card is too small")
    async with run_app(engine, wait=False) as app:
        engine.load_gate.set()
        while not app.failures:
            assert (await app.client.get("/readyz")).status_code == 503
            await asyncio.sleep(0.01)
        assert app.failures == [engine.load_error]
        assert (await app.client.get("/livez")).json() == {"status": "dead", "reason": "the card is too small"}
        assert problem(await app.rerank(["a"]), 503)["code"] == "failed"


async def test_a_dead_engine_is_neither_alive_nor_ready(run_app: RunApp) -> None:
    async with run_app() as app:
        app.engine.fail = lambda _: EngineDead("gone")
        problem(await app.rerank(["a"]), 503)
        app.engine.trouble = "the engine's process has died"
        alive = await app.client.get("/livez")
        assert (alive.status_code, alive.json()["reason"]) == (503, "the engine's process has died")
        assert (await app.client.get("/readyz")).status_code == 503
        assert (await app.client.get("/health")).json()["status"] == "dead"
        assert app.metric("engine_up") == 0


async def test_the_latency_histogram_can_be_read_by_number_of_documents(run_app: RunApp) -> None:
    async with run_app(max_documents=2000) as app:
        for count in (1, 100, 101, 1000, 1001):
            assert (await app.rerank([str(number) for number in range(count)])).status_code == 200
        problem(await app.rerank([]), 400)
        for documents, count in (("1-100", 2), ("101-200", 1), ("801-1000", 1), ("1001+", 1)):
            labels = {"route": "/rerank", "outcome": "ok", "documents": documents}
            assert app.metric("request_duration_seconds_count", **labels) == count
        text = (await app.client.get("/metrics")).text
    invalid = 'documents="none",instruction_format="compact",outcome="invalid",route="/rerank"'
    assert f'reranker_request_duration_seconds_count{{backend="qwen3_vllm_score",{invalid}}} 1.0' in text
    assert "_created" not in text
    samples = [line for line in text.splitlines() if line.startswith("reranker_")]
    assert len(samples) > 100
    assert all('backend="qwen3_vllm_score"' in line and 'instruction_format="compact"' in line for line in samples)


async def test_every_metric_of_a_request_is_counted(run_app: RunApp) -> None:
    async with run_app() as app:
        body = (await app.rerank(["red shoes", "blue shoes"])).json()
        assert app.metric("tokens_total", kind="prompt") == body["usage"]["prompt_tokens"]
        assert app.metric("tokens_total", kind="document") == 4
        for name in ("queue_duration_seconds", "tokenize_duration_seconds", "engine_duration_seconds"):
            assert app.metric(f"{name}_count") == 1
        assert app.metric("request_documents_sum") == 2
        assert app.metric("document_tokens_count") == 2
        labels = {"model": app.service.settings.model_name, "version": "0.1.0", "engine_version": "scripted 1"}
        assert app.metric("build_info", **labels) == 1
