"""Every backend gives the log-odds of a plain transformers forward pass in float32, in both formats."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.service.texts import QUERY, documents
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from reranker_service.scoring.prompts import STANDARD_SYSTEM, InstructionFormat, PromptBuilder
from reranker_service.scoring.tokenizer import PromptTokenizer
from reranker_service.settings import DEFAULT_INSTRUCTION

# Loading an engine takes 15 s on two quiet cores, and many times that beside other work.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
FORMATS: list[InstructionFormat] = ["compact", "standard"]
BACKENDS = ["qwen3_vllm", "qwen3_vllm_score", "qwen3_packed"]
# vLLM computes in this process on CPUs and in one of its own on GPUs; each backend shows one of the two.
APART = {"qwen3_vllm": "1", "qwen3_vllm_score": "0", "qwen3_packed": "0"}
COUNT = 200
TOLERANCE = {"qwen3_vllm": 1e-3, "qwen3_vllm_score": 1e-3, "qwen3_packed": 1e-4}
# One less than the model length of 160: generate needs room for its token, and both backends get the same prompts.
MOST_TOKENS = 159


@pytest.fixture(scope="module")
def prompts(tiny_model: Path) -> dict[InstructionFormat, list[list[int]]]:
    tokenizer = PromptTokenizer(tiny_model / "tokenizer.json")
    built: dict[InstructionFormat, list[list[int]]] = {}
    for fmt in FORMATS:
        builder = PromptBuilder(
            tokenizer, instruction_format=fmt, instruction=DEFAULT_INSTRUCTION, max_tokens=MOST_TOKENS
        )
        built[fmt] = [prompt.token_ids for prompt in builder.build(QUERY, documents(COUNT))]
    return built


@pytest.fixture(scope="module")
def expected(
    tiny_model: Path, prompts: dict[InstructionFormat, list[list[int]]]
) -> dict[InstructionFormat, list[float]]:
    """One prompt at a time: no padding, no mask, no batch, and the words' ids from the unchanged tokenizer."""
    tokenizer = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    yes, no = tokenizer.token_to_id("yes"), tokenizer.token_to_id("no")
    torch.set_num_threads(1)  # so small a model is slower on two, and far slower beside other work
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    with torch.inference_mode():
        return {
            fmt: [float((logits := model(torch.tensor([ids])).logits[0, -1])[yes] - logits[no]) for ids in prompts[fmt]]
            for fmt in FORMATS
        }


@pytest.fixture(scope="module", params=BACKENDS)
def scored(
    request: pytest.FixtureRequest, tiny_model: Path, prompts: dict[InstructionFormat, list[list[int]]]
) -> dict[str, Any]:
    """One engine process scores the prompts of both formats."""
    changes = {"OMP_NUM_THREADS": "2", "VLLM_ENABLE_V1_MULTIPROCESSING": APART[request.param]}
    run = subprocess.run(
        [sys.executable, "-m", "tests.service.score_prompts", request.param, str(tiny_model)],
        input=json.dumps(prompts["compact"] + prompts["standard"]), cwd=ROOT, env=os.environ | changes,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    result["backend"] = request.param
    rate = 2 * COUNT / result["score_s"]
    print(f"{request.param}: loaded in {result['load_s']:.1f} s, {rate:.0f} documents/s, {result['rss_mib']:.0f} MiB")
    return result


@pytest.mark.parametrize("fmt", FORMATS)
def test_log_odds_agree_with_transformers(
    fmt: InstructionFormat, scored: dict[str, Any], expected: dict[InstructionFormat, list[float]]
) -> None:
    start = FORMATS.index(fmt) * COUNT
    found = scored["log_odds"][start : start + COUNT]
    worst = max(abs(a - b) for a, b in zip(found, expected[fmt], strict=True))
    print(f"{scored['backend']} {fmt}: max |difference| in log-odds over {COUNT} documents: {worst:.2e}")
    tolerance = TOLERANCE[scored["backend"]]
    assert worst <= tolerance
    assert max(expected[fmt]) - min(expected[fmt]) > 100 * tolerance  # the documents do differ


def test_a_prompt_scores_the_same_alone_as_in_a_batch(scored: dict[str, Any]) -> None:
    assert scored["alone"] == pytest.approx(scored["log_odds"][:10], abs=TOLERANCE[scored["backend"]] / 10)


def test_submissions_under_way_at_once_get_their_own_scores(scored: dict[str, Any]) -> None:
    assert scored["overlapped"] == pytest.approx(scored["log_odds"], abs=TOLERANCE[scored["backend"]] / 10)


def test_an_engine_shows_life_more_often_than_once_a_call(scored: dict[str, Any]) -> None:
    calls = 1 + 2 * COUNT / 100 + 10
    assert scored["steps"] > 1.5 * calls


def test_a_prompt_that_can_not_fit_fails_its_call_and_leaves_nothing_behind(scored: dict[str, Any]) -> None:
    assert "160" in scored["too_long"]
    assert scored["after"] == pytest.approx(scored["log_odds"][0], abs=TOLERANCE[scored["backend"]] / 10)
    assert scored["health"] is None


def test_the_standard_prompt_is_the_published_one(
    tiny_model: Path, prompts: dict[InstructionFormat, list[list[int]]]
) -> None:
    text = (
        f"<|im_start|>system\n{STANDARD_SYSTEM}<|im_end|>\n<|im_start|>user\n<Instruct>: {DEFAULT_INSTRUCTION}\n"
        f"<Query>: {QUERY}\n<Document>: {documents(10)[9]}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    ids = Tokenizer.from_file(str(tiny_model / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert "<|im_end|>" not in documents(10)[9]
    assert prompts["standard"][9] == ids
