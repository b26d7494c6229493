"""The packed backend as a client sees it: an application, real prompts, the demonstration model, and transformers."""

import asyncio
from pathlib import Path

import httpx
import pytest
import torch
from tests.service.texts import QUERY, documents
from transformers import AutoModelForCausalLM

from reranker_service.app import create_app
from reranker_service.engines import create_engine
from reranker_service.engines.packed.engine import PackedEngine
from reranker_service.scoring.prompts import InstructionFormat, PromptBuilder
from reranker_service.scoring.tokenizer import PromptTokenizer
from reranker_service.settings import DEFAULT_INSTRUCTION, Settings

pytestmark = pytest.mark.anyio

MOST_TOKENS = 160
LONG = "a document that does not fit and is cut from the right " * 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("fmt", ["compact", "standard"])
async def test_log_odds_over_http_are_those_of_transformers(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, fmt: InstructionFormat
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    texts = [*documents(40), LONG]
    settings = Settings(
        backend="qwen3_packed", model_name=str(tiny_model), instruction_format=fmt, max_model_len=MOST_TOKENS
    )
    engine = create_engine(settings)
    assert isinstance(engine, PackedEngine)
    asgi = create_app(settings, engine)
    async with (
        asgi.router.lifespan_context(asgi),
        httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://service", timeout=60) as client,
    ):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as a kubelet does
            await asyncio.sleep(0.05)
        request = {"query": QUERY, "documents": [*texts, texts[0]], "raw_scores": True}
        answer = (await client.post("/rerank", json=request)).json()
    found = {result["index"]: result["relevance_score"] for result in answer["results"]}
    cut = [result["index"] for result in answer["results"] if result.get("truncated")]

    tokenizer = PromptTokenizer(tiny_model / "tokenizer.json")
    builder = PromptBuilder(tokenizer, instruction_format=fmt, instruction=DEFAULT_INSTRUCTION, max_tokens=MOST_TOKENS)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    prompts = builder.build(QUERY, texts)
    with torch.inference_mode():
        rows = [model(torch.tensor([prompt.token_ids])).logits[0, -1] for prompt in prompts]
    expected = [float(row[tokenizer.yes_id] - row[tokenizer.no_id]) for row in rows]
    assert [found[index] for index in range(len(texts))] == pytest.approx(expected, abs=1e-4)
    assert found[len(texts)] == found[0]
    assert sorted(cut) == [index for index, prompt in enumerate(prompts) if prompt.truncated]
    assert 40 in cut
    assert len(prompts[40].token_ids) == MOST_TOKENS
    assert max(expected) - min(expected) > 1
