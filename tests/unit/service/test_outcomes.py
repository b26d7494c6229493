"""The label `outcome` of a request's duration: alerts tell by it whose fault it was that there is no answer."""

import asyncio

import pytest
from tests.unit.service.conftest import RunApp

from reranker_service.engines.protocol import EngineError

pytestmark = pytest.mark.anyio


async def test_what_was_accepted_and_not_answered_failed(run_app: RunApp) -> None:
    async with run_app() as app:
        app.engine.fail = lambda _: EngineError("bad")
        assert (await app.rerank(["a"])).status_code == 503
        assert app.metric("request_duration_seconds_count", route="/rerank", outcome="failed", documents="1-100") == 1
        assert app.metric("rejected_requests_total", reason="engine_failed") == 1


async def test_what_ran_out_of_time_failed(run_app: RunApp) -> None:
    async with run_app(request_timeout_s=0.2) as app:
        app.engine.gate.clear()
        assert (await app.rerank(["a"])).status_code == 503
        assert app.metric("request_duration_seconds_count", route="/rerank", outcome="failed", documents="1-100") == 1


async def test_what_found_no_room_was_refused(run_app: RunApp) -> None:
    async with run_app(max_documents=1, max_queued_documents=1) as app:
        app.engine.gate.clear()
        held = asyncio.ensure_future(app.rerank(["a"]))
        await app.engine.wait_entered()
        assert (await app.rerank(["b"])).status_code == 429
        app.engine.gate.set()
        assert (await held).status_code == 200
        assert app.metric("request_duration_seconds_count", route="/rerank", outcome="refused", documents="1-100") == 1


async def test_what_came_before_the_model_was_loaded_was_refused(run_app: RunApp) -> None:
    async with run_app(wait=False) as app:
        app.engine.load_gate.clear()
        assert (await app.rerank(["a"])).status_code == 503
        assert app.metric("request_duration_seconds_count", route="/rerank", outcome="refused", documents="none") == 1
