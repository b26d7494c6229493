"""The real tokenizer, and an application around a scripted engine."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.unit.service.scripted import PATIENCE_S, ScriptedEngine

from reranker_service import loading
from reranker_service.app import create_app
from reranker_service.checkpoint import resolve
from reranker_service.engines.protocol import Checkpoint
from reranker_service.lifecycle import Phase
from reranker_service.scoring.tokenizer import PromptTokenizer
from reranker_service.service import RerankService
from reranker_service.settings import ScoreCheckKeys, ServerKeys, Settings

# A scripted engine's scores mean nothing, so that no golden set holds for them.
NO_CHECK = {"mode": "off"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def tokenizer_json(tiny_model: Path) -> Path:
    return tiny_model / "tokenizer.json"


@pytest.fixture(scope="session")
def tokenizer(tokenizer_json: Path) -> PromptTokenizer:
    return PromptTokenizer(tokenizer_json)


@dataclass
class App:
    """A running application, a client for it, and its engine."""

    asgi: FastAPI
    service: RerankService
    client: httpx.AsyncClient
    engine: ScriptedEngine
    failures: list[BaseException]

    async def rerank(self, documents: Any, query: Any = "shoes", **fields: Any) -> httpx.Response:
        return await self.client.post("/rerank", json={"query": query, "documents": documents, **fields})

    def metric(self, name: str, **labels: str) -> float:
        constants = {"backend": "qwen3_vllm_score", "instruction_format": "compact"}
        return self.service.metrics.registry.get_sample_value(f"reranker_{name}", constants | labels) or 0.0

    async def waiting(self, requests: int) -> None:
        """Until so many requests in all have been tokenised, and so have reached the queue."""
        async with asyncio.timeout(PATIENCE_S):
            while self.metric("tokenize_duration_seconds_count") != requests:  # noqa: ASYNC110 - a count has no event
                await asyncio.sleep(0.005)

    async def ready(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await self.client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as a kubelet does
                await asyncio.sleep(0.01)
        self.engine.forget_warmup()

    async def settled(self) -> None:
        """Until it no longer loads, whatever became of it."""
        async with asyncio.timeout(PATIENCE_S):
            while self.service.lifecycle.phase is Phase.LOADING:  # noqa: ASYNC110 - a phase has no event
                await asyncio.sleep(0.01)


RunApp = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture(scope="session")
def read_once() -> Callable[..., Checkpoint]:
    """Reading the tokenizer takes a second; applications of one test run share it."""
    once = functools.cache(resolve)
    return lambda name, revision, _: once(name, revision)


@pytest.fixture
def run_app(tiny_model: Path, read_once: Callable[..., Checkpoint], monkeypatch: pytest.MonkeyPatch) -> RunApp:
    """`async with run_app(engine, max_documents=5) as app`, ready unless `wait=False`."""
    monkeypatch.setattr(loading, "resolve", read_once)

    @asynccontextmanager
    async def run(
        engine: ScriptedEngine | None = None,
        *,
        wait: bool = True,
        score_check: Mapping[str, Any] = NO_CHECK,
        **server: Any,
    ) -> AsyncIterator[App]:
        engine = engine or ScriptedEngine()
        settings = Settings(
            model_name=str(tiny_model),
            infer_batch_size=engine.capacity.batch_documents,
            server=ServerKeys.model_validate(server),
            score_check=ScoreCheckKeys.model_validate(score_check),
        )
        failures: list[BaseException] = []
        asgi = create_app(settings, engine, on_failed=failures.append)
        transport = httpx.ASGITransport(asgi)
        async with (
            asgi.router.lifespan_context(asgi),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            app = App(asgi, asgi.state.service, client, engine, failures)
            if wait:
                await app.ready()
            yield app
            engine.gate.set()
            engine.load_gate.set()

    return run
