"""Pods are asked for their check over real HTTP, bounded in time and size."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from reranker_operator import pod_health
from reranker_operator.pod_health import FAULT_SECONDS, PENDING_SECONDS, PodHealth, ask_again_after
from reranker_operator.scoring import Reading

ADDRESS = "127.8.254.1"
Answer = Callable[[web.Request], Awaitable[web.Response]]


def pod(uid: str = "u1", *, address: str | None = ADDRESS, restarts: int = 0, **status: Any) -> dict[str, Any]:
    container = {"name": "reranker", "state": {"running": {}}, "restartCount": restarts, "started": True, **status}
    found = {"containerStatuses": [container], **({"podIP": address} if address else {})}
    return {"metadata": {"name": f"pod-{uid}", "uid": uid}, "status": found}


def read(answer: Answer, *rounds: list[dict[str, Any]], pause: float = 0.0) -> list[list[Reading]]:
    """Ask these pods, round after round with so many seconds between, at a server that answers so."""
    times = itertools.count(0.0, pause)

    async def session() -> list[list[Reading]]:
        app = web.Application()
        app.add_routes([web.get("/health", answer)])
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, ADDRESS, pod_health.PORT).start()
        now = 0.0
        health = PodHealth(clock=lambda: now)
        readings = []
        try:
            for now, pods in zip(times, rounds, strict=False):  # noqa: B007 - the clock reads it
                readings.append(await health.read(pods))
            return readings
        finally:
            await health.close()
            await runner.cleanup()

    return asyncio.run(session())


def checks(status: str, calls: list[str] | None = None) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        if calls is not None:
            calls.append(request.path)
        return web.json_response({"score_check": {"status": status}}, status=503)

    return answer


def test_check_is_read_from_a_pod_that_is_not_ready():
    ((reading,),) = read(checks("failed"), [pod()])
    assert reading.check is not None
    assert (reading.pod, reading.check.status) == ("pod-u1", "failed")


def test_last_word_is_asked_for_once_until_the_container_starts_anew():
    calls: list[str] = []
    read(checks("passed", calls), [pod()], [pod()], [pod(restarts=1)])
    assert len(calls) == 2


def test_pending_check_is_asked_for_again():
    calls: list[str] = []
    readings = read(checks("pending", calls), [pod()], [pod()], pause=PENDING_SECONDS)
    assert len(calls) == 2
    assert ask_again_after(readings[0]) == PENDING_SECONDS


def test_pending_check_is_not_asked_for_at_every_pass_but_where_the_pod_has_changed():
    calls: list[str] = []
    ready = pod()
    ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    read(checks("pending", calls), [pod()], [pod()], [ready], [ready], pause=PENDING_SECONDS / 10)
    assert len(calls) == 2


@pytest.mark.parametrize(
    "silent",
    [pod(address=None), pod(state={"waiting": {"reason": "CrashLoopBackOff"}}), pod(started=False)],
    ids=["no address", "not running", "port not open yet"],
)
def test_pod_that_can_not_answer_yet_is_not_asked(silent: dict[str, Any]):
    calls: list[str] = []
    assert read(checks("passed", calls), [silent]) == [[]]
    assert calls == []


def test_unreachable_pod_is_a_fault_and_tried_again():
    ((reading,),) = read(checks("passed"), [pod(address="127.8.254.2")])
    assert reading.fault == "its /health can't be read at 127.8.254.2:8000: no connection"
    assert ask_again_after([reading]) == FAULT_SECONDS


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"a": "' + "x" * pod_health.LARGEST_ANSWER + '"}'])
def test_answer_that_is_none_is_a_fault(text: str):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    ((reading,),) = read(answer, [pod()])
    assert reading.fault is not None
    assert "another image" in reading.fault


def test_pod_that_does_not_answer_in_time_is_a_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pod_health, "TIMEOUT", pod_health.aiohttp.ClientTimeout(total=0.2))

    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response()

    ((reading,),) = read(answer, [pod()])
    assert reading.fault is not None
    assert "no answer in time" in reading.fault


def test_nothing_is_asked_again_where_all_is_said():
    assert ask_again_after([]) is None
