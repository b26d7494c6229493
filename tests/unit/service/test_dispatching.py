"""Many requests and one engine: sharing, limits, deadlines, clients that go away, and faults that stay apart."""

import asyncio
import dataclasses
import json
import threading
import time
from collections.abc import Sequence

import pytest
from tests.unit.service.conftest import App, RunApp
from tests.unit.service.scripted import PATIENCE_S, ScriptedEngine

from reranker_service import service
from reranker_service.engines.protocol import Collect, EngineError
from reranker_service.scoring.encoders import Encoded
from reranker_service.scoring.prompt_arrays import Prompts

pytestmark = pytest.mark.anyio


def texts(count: int, name: str) -> list[str]:
    return [f"{name} {number}" for number in range(count)]


async def disconnect_after(app: App, documents: list[str], leave: asyncio.Event) -> None:
    """A client that sends a whole request and closes the connection when `leave` is set."""
    body = json.dumps({"query": "shoes", "documents": documents}).encode()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, object]:
        if messages:
            return messages.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        assert message.get("status", 499) == 499

    scope = {
        "type": "http", "method": "POST", "path": "/rerank", "raw_path": b"/rerank", "query_string": b"",
        "headers": [(b"content-type", b"application/json")], "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    await app.asgi(scope, receive, send)  # type: ignore[arg-type]


async def test_requests_that_wait_together_share_the_next_submission(run_app: RunApp) -> None:
    async with run_app(ScriptedEngine(batch_documents=10)) as app:
        app.engine.gate.clear()
        first = asyncio.create_task(app.rerank(texts(2, "first")))
        await app.engine.wait_entered()
        others = [asyncio.create_task(app.rerank(texts(4, f"other {number}"))) for number in range(4)]
        await app.waiting(5)
        assert app.metric("queued_documents") == 18
        app.engine.gate.set()
        for task in (first, *others):
            assert (await task).status_code == 200
        assert [len(call) for call in app.engine.calls] == [2, 10, 6]
        assert app.metric("queued_documents") == 0


async def test_scores_under_concurrency_are_the_scores_alone(run_app: RunApp) -> None:
    async with run_app(ScriptedEngine(batch_documents=7)) as app:
        requests = [texts(count, f"request {count}") for count in range(1, 25)]
        together = await asyncio.gather(*(app.rerank(documents, raw_scores=True) for documents in requests))
        for documents, response in zip(requests, together, strict=True):
            assert response.json()["results"] == (await app.rerank(documents, raw_scores=True)).json()["results"]


async def test_a_full_queue_refuses_the_whole_request(run_app: RunApp) -> None:
    async with run_app(max_documents=10, max_queued_documents=15) as app:
        app.engine.gate.clear()
        first = asyncio.create_task(app.rerank(texts(10, "a")))
        await app.engine.wait_entered()
        refused = await app.rerank(texts(6, "b"))
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "queue_full"
        assert int(refused.headers["retry-after"]) >= 1
        assert app.metric("queued_documents") == 10
        fits = asyncio.create_task(app.rerank(texts(5, "c")))
        await app.waiting(2)
        assert app.metric("queued_documents") == 15
        app.engine.gate.set()
        assert ((await first).status_code, (await fits).status_code) == (200, 200)
        assert app.metric("rejected_requests_total", reason="queue_full") == 1
        assert sum(len(call) for call in app.engine.calls) == 15


async def test_a_request_that_is_not_done_in_time_is_given_up(run_app: RunApp) -> None:
    async with run_app(ScriptedEngine(batch_documents=2), request_timeout_s=0.3) as app:
        app.engine.gate.clear()
        response = await app.rerank(texts(6, "a"))
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "deadline_exceeded"
        assert "retry-after" in response.headers
        assert app.metric("queued_documents") == 0
        app.engine.gate.set()
        assert (await app.rerank(["b"])).status_code == 200
        assert [len(call) for call in app.engine.calls] == [2, 1]  # the other four never reached the engine


async def test_a_client_that_went_away_frees_its_queued_work(run_app: RunApp) -> None:
    async with run_app(ScriptedEngine(batch_documents=2)) as app:
        app.engine.gate.clear()
        leave = asyncio.Event()
        gone = asyncio.create_task(disconnect_after(app, texts(8, "a"), leave))
        await app.engine.wait_entered()
        stays = asyncio.create_task(app.rerank(["b"]))
        await app.waiting(2)
        assert app.metric("queued_documents") == 9
        leave.set()
        await gone
        assert app.metric("queued_documents") == 1
        app.engine.gate.set()
        assert (await stays).status_code == 200
        assert [len(call) for call in app.engine.calls] == [2, 1]
        labels = {"route": "/rerank", "outcome": "disconnected", "documents": "1-100"}
        assert app.metric("request_duration_seconds_count", **labels) == 1
        assert app.metric("rejected_requests_total", reason="client_gone") == 1


async def test_a_prompt_that_breaks_a_shared_call_fails_its_own_request_only(run_app: RunApp) -> None:
    async with run_app() as app:
        app.engine.gate.clear()
        first = asyncio.create_task(app.rerank(["first"]))
        await app.engine.wait_entered()
        good = asyncio.create_task(app.rerank(texts(3, "good")))
        bad = asyncio.create_task(app.rerank(["long " * 80]))
        await app.waiting(3)
        app.engine.fail = lambda prompts: EngineError("bad") if max(map(len, prompts)) > 100 else None
        app.engine.gate.set()
        assert ((await first).status_code, (await good).status_code) == (200, 200)
        assert (await bad).json()["error"]["code"] == "engine_failed"


async def test_a_wrong_number_of_scores_is_a_failure(run_app: RunApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_app() as app:
        monkeypatch.setattr(app.engine, "score", lambda prompts: [1.0] * (len(prompts) - 1))
        response = await app.rerank(["a", "b"])
    assert response.status_code == 503
    assert "1 scores for 2 prompts" in response.json()["detail"]


async def test_an_engine_that_makes_no_step_with_work_is_not_alive(run_app: RunApp) -> None:
    async with run_app(stall_timeout_s=0.3) as app:
        app.engine.gate.clear()
        task = asyncio.create_task(app.rerank(["a"]))
        await app.engine.wait_entered()
        assert (await app.client.get("/livez")).status_code == 200
        await asyncio.sleep(0.5)
        stuck = await app.client.get("/livez")
        assert stuck.status_code == 503
        assert "no engine step" in stuck.json()["reason"]
        app.engine.gate.set()
        assert (await task).status_code == 200
        assert (await app.client.get("/livez")).status_code == 200


async def test_a_long_batch_that_steps_is_alive(run_app: RunApp) -> None:
    async with run_app(stall_timeout_s=0.3) as app:
        app.engine.gate.clear()
        task = asyncio.create_task(app.rerank(["a"]))
        await app.engine.wait_entered()
        for _ in range(8):
            await asyncio.sleep(0.1)
            app.engine.on_step()
            assert (await app.client.get("/livez")).status_code == 200
        app.engine.gate.set()
        assert (await task).status_code == 200


async def test_a_machine_whose_every_call_takes_longer_than_the_limit_is_alive(run_app: RunApp) -> None:
    engine = ScriptedEngine()
    engine.fail = lambda _: time.sleep(0.5)  # already while warming up, which is how the service learns of it
    async with run_app(engine, stall_timeout_s=0.1) as app:
        task = asyncio.create_task(app.rerank(["a"]))
        await app.engine.wait_entered()
        for _ in range(4):
            assert (await app.client.get("/livez")).status_code == 200
            await asyncio.sleep(0.1)
        assert (await task).status_code == 200


async def test_the_engine_is_closed_with_the_application(run_app: RunApp) -> None:
    async with run_app() as app:
        assert not app.engine.closed
    assert app.engine.closed


class OverlappingEngine(ScriptedEngine):
    """A device of its own: it computes what has been submitted in order, and a call only begins."""

    def __init__(self, *, batch_documents: int) -> None:
        super().__init__(batch_documents=batch_documents)
        self.capacity = dataclasses.replace(self.capacity, submissions=2)
        self.begun = threading.Semaphore(0)
        self.sizes: list[int] = []

    def submit(self, batch: Sequence[Prompts]) -> Collect:
        self.sizes.append(sum(map(len, batch)))
        self.begun.release()
        return super().submit(batch)

    async def wait_begun(self, count: int) -> None:
        for _ in range(count):
            assert await asyncio.to_thread(self.begun.acquire, True, PATIENCE_S)


async def test_the_next_submission_is_prepared_while_one_runs(run_app: RunApp) -> None:
    engine = OverlappingEngine(batch_documents=10)
    async with run_app(engine) as app:
        engine.sizes.clear()
        await engine.wait_begun(engine.begun._value)
        engine.gate.clear()
        task = asyncio.create_task(app.rerank(texts(40, "a")))
        await engine.wait_begun(2)
        assert len(engine.calls) <= 1  # the first is still being computed
        engine.gate.set()
        assert (await task).status_code == 200
        assert engine.sizes == [10, 10, 10, 10]


async def test_a_request_goes_to_the_engine_before_all_of_it_is_tokenised(
    run_app: RunApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OverlappingEngine(batch_documents=1000)
    async with run_app(engine) as app:
        engine.sizes.clear()
        await engine.wait_begun(engine.begun._value)
        model = app.service.model
        assert model is not None
        encode = model.prompts._tokenizer.encode_batch

        def encode_batch(some: Sequence[str]) -> Encoded:
            if some[0].startswith(" b"):  # these are the last: wait until the first have gone ahead
                assert engine.begun.acquire(timeout=PATIENCE_S)
            return encode(some)

        monkeypatch.setattr(model.prompts._tokenizer, "encode_batch", encode_batch)
        monkeypatch.setattr(service, "FIRST_CHARACTERS", sum(map(len, texts(10, " a"))))
        documents = [*texts(10, "a"), *texts(20, "b")]
        response = await app.rerank(documents, raw_scores=True)
        assert response.status_code == 200
        assert engine.sizes == [10, 20]
        monkeypatch.undo()
        alone = await app.rerank(documents[-1:], raw_scores=True)
        scores = {result["index"]: result["relevance_score"] for result in response.json()["results"]}
        assert scores[len(documents) - 1] == alone.json()["results"][0]["relevance_score"]


async def test_a_failure_of_one_of_two_begun_submissions_stays_its_own(run_app: RunApp) -> None:
    engine = OverlappingEngine(batch_documents=1)
    async with run_app(engine) as app:
        await engine.wait_begun(engine.begun._value)
        engine.gate.clear()
        first = asyncio.create_task(app.rerank(["first"]))
        await engine.wait_entered()
        bad = asyncio.create_task(app.rerank(["long " * 80]))
        good = asyncio.create_task(app.rerank(["good"]))
        await app.waiting(3)
        engine.fail = lambda prompts: EngineError("bad") if max(map(len, prompts)) > 100 else None
        engine.gate.set()
        assert (await bad).json()["error"]["code"] == "engine_failed"
        assert ((await first).status_code, (await good).status_code) == (200, 200)


async def test_a_failure_in_the_engines_thread_keeps_nobody_waiting(
    run_app: RunApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_app() as app:

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(app.service._dispatcher, "_outcomes", broken)
        response = await app.rerank(["a"])
        assert response.status_code == 503
        assert "ZeroDivisionError" in response.json()["detail"]
        assert (await app.client.get("/livez")).status_code == 503
