"""What the vLLM engines make of faults that a real vLLM can't be told to have, and what they ask of it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from reranker_service.engines.protocol import EngineDead, EngineError
from reranker_service.engines.vllm_score import VllmScoreEngine
from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.settings import Settings


class Values:
    """The tensor of a pooling output."""

    def __init__(self, *values: float) -> None:
        self._values = list(values)

    def flatten(self) -> "Values":
        return self

    def tolist(self) -> list[float]:
        return self._values


class FakeCore:
    """vLLM's `LLMEngine` as far as it is used: a step answers the oldest prompt with the sum of its ids."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, list[int]]] = []
        self.aborted: list[str] = []
        self.spoil: Callable[[Any], None] = lambda _: None
        self.step_error: Exception | None = None

    def add_request(self, name: str, prompt: dict[str, Any], params: Any) -> str:
        del params
        assert prompt["type"] == "token"
        ids = prompt["prompt_token_ids"]
        if len(ids) > 5:
            raise ValueError("longer than 5")
        self.waiting.append((name, ids))
        return f"{name}-0a1b"

    def has_unfinished_requests(self) -> bool:
        return bool(self.waiting)

    def step(self) -> list[Any]:
        if self.step_error is not None:
            raise self.step_error
        name, ids = self.waiting.pop(0)
        output = SimpleNamespace(
            request_id=name, finished=True, prompt_token_ids=ids, outputs=SimpleNamespace(data=Values(float(sum(ids))))
        )
        self.spoil(output)
        return [output]

    def abort_request(self, names: list[str]) -> None:
        self.aborted += names
        self.waiting = [each for each in self.waiting if each[0] not in names]


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
def engine(core: FakeCore) -> VllmScoreEngine:
    made = VllmScoreEngine(Settings(backend="qwen3_vllm_score", model_name="m"))
    made._llm = SimpleNamespace(llm_engine=core)
    return made


def prompts(*lists: list[int]) -> list[Prompts]:
    return [Prompts.from_lists(list(lists))]


def test_a_submission_that_is_begun_while_another_runs_gets_its_own_answers(engine: VllmScoreEngine) -> None:
    first, second = engine.submit(prompts([1, 2], [1, 3])), engine.submit(prompts([4], [5]))
    assert first().log_odds.tolist() == [3, 4]
    assert second().log_odds.tolist() == [4, 5]


def test_answers_in_another_order_than_asked_for_reach_their_prompts(engine: VllmScoreEngine, core: FakeCore) -> None:
    collect = engine.submit(prompts([1], [2], [3]))
    core.waiting.reverse()
    assert collect().log_odds.tolist() == [1, 2, 3]


def test_a_refused_prompt_takes_back_its_submission_only(engine: VllmScoreEngine, core: FakeCore) -> None:
    before = engine.submit(prompts([1]))
    with pytest.raises(EngineError, match="longer than 5"):
        engine.submit(prompts([2], [1, 2, 3, 4, 5, 6]))
    assert core.aborted == ["1"]
    assert before().log_odds.tolist() == [1]
    assert engine.health() is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda output: setattr(output, "finished", False), "not answered"),
        (lambda output: setattr(output, "request_id", "99"), "not answered"),
        (lambda output: setattr(output, "error", "no room"), "no room"),
        (lambda output: setattr(output, "prompt_token_ids", [7]), "out of step"),
        (lambda output: setattr(output.outputs, "data", Values(0.1, 0.9)), "2 values"),
        (lambda output: setattr(output.outputs, "data", Values()), "0 values"),
    ],
)
def test_what_is_no_answer_fails_its_submission_and_no_other(
    engine: VllmScoreEngine, core: FakeCore, spoil: Callable[[Any], None], message: str
) -> None:
    first, second = engine.submit(prompts([1])), engine.submit(prompts([2]))
    core.spoil = lambda output: spoil(output) if output.request_id == "0" else None
    with pytest.raises(EngineError, match=message):
        first()
    assert second().log_odds.tolist() == [2]
    assert engine.score([[3, 4]]) == [7]


def test_a_step_that_fails_takes_back_what_is_owed(engine: VllmScoreEngine, core: FakeCore) -> None:
    first, second = engine.submit(prompts([1], [2])), engine.submit(prompts([3]))
    core.step_error = RuntimeError("out of blocks")
    with pytest.raises(EngineError, match="RuntimeError: out of blocks"):
        first()
    assert sorted(core.aborted) == ["0", "1"]
    core.step_error = None
    assert second().log_odds.tolist() == [3]


def test_a_dead_process_is_told_apart_and_stays_dead(engine: VllmScoreEngine, core: FakeCore) -> None:
    collect = engine.submit(prompts([1]))
    core.step_error = type("EngineDeadError", (Exception,), {})("exit code -9")
    with pytest.raises(EngineError, match="exit code -9"):
        collect()
    assert "died" in str(engine.health())
    assert core.aborted == []
    with pytest.raises(EngineDead):
        engine.submit(prompts([2]))


def test_an_engine_that_can_not_take_prompts_back_is_dead(engine: VllmScoreEngine, core: FakeCore) -> None:
    def abort(_: list[str]) -> None:
        raise RuntimeError("no such request")

    core.abort_request = abort  # type: ignore[method-assign]
    collect = engine.submit(prompts([1]))
    core.step_error = RuntimeError("out of blocks")
    with pytest.raises(EngineError, match="out of blocks"):
        collect()
    assert "no such request" in str(engine.health())


def test_pooling_prompts_are_never_split_over_steps(engine: VllmScoreEngine) -> None:
    # A split prompt of max_model_len ids is never finished by vLLM before 0.32.
    assert engine._specific_arguments()["enable_chunked_prefill"] is False
