"""The engine on a CPU: loading from a folder, scoring in order, and failures that say what is wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from reranker_service.engines.packed.engine import PackedEngine
from reranker_service.engines.protocol import EngineDead, EngineError, EngineLoadError

from .conftest import NO, VOCABULARY, YES, Model, draw_requests, lists


@dataclass(frozen=True)
class Settings:
    max_model_len: int = 64
    dtype: str = "auto"
    quantization: str | None = None
    enable_prefix_caching: bool = True
    enforce_eager: bool | None = None
    gpu_memory_utilization: float = 0.2
    tensor_parallel_size: int = 1
    engine_args: dict[str, object] = field(default_factory=dict)


def checkpoint(folder: Path) -> Any:
    return SimpleNamespace(path=folder, tokenizer=SimpleNamespace(yes_id=YES, no_id=NO))


def loaded(model: Model, **settings: Any) -> PackedEngine:
    engine = PackedEngine(Settings(**settings))
    engine.load(checkpoint(model.folder), lambda: None)
    return engine


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_scores_come_back_in_the_order_of_the_prompts(tied_model: Model) -> None:
    batch = draw_requests(np.random.default_rng(0), requests=2, documents=15, longest=20)
    expected = pytest.approx(tied_model.log_odds(lists(batch)).tolist(), abs=1e-4)
    engine = loaded(tied_model)
    assert engine.submit(batch)().log_odds.tolist() == expected
    assert engine.score(lists(batch)) == expected


def test_submissions_are_collected_in_their_order(tied_model: Model) -> None:
    first, second = draw_requests(np.random.default_rng(3), requests=2, documents=5, longest=20)
    engine = loaded(tied_model)
    collect = [engine.submit([prompts]) for prompts in (first, second)]
    assert [scores().log_odds.tolist() for scores in collect] == [
        engine.score(each.lists()) for each in (first, second)
    ]


def test_every_part_is_a_sign_of_life(tied_model: Model) -> None:
    steps: list[int] = []
    engine = PackedEngine(Settings())
    engine.load(checkpoint(tied_model.folder), lambda: steps.append(1))
    before = len(steps)
    rng = np.random.default_rng(1)
    engine.score([rng.integers(0, 200, 60).tolist() for _ in range(60)])
    assert len(steps) - before == 4


def test_the_same_prompt_in_another_dtype_is_close(tied_model: Model) -> None:
    prompts = lists(draw_requests(np.random.default_rng(2), requests=1, documents=10, longest=20))
    rough = np.asarray(loaded(tied_model, dtype="bfloat16").score(prompts))
    exact = tied_model.log_odds(prompts)
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.abs(exact).max()


def test_a_checkpoint_in_several_files_scores_the_same(tied_model: Model, tmp_path: Path) -> None:
    tied_model.transformers.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    prompts = [[1, 2, 3], [1, 2, 4, 5]]
    engine = PackedEngine(Settings())
    engine.load(checkpoint(tmp_path), lambda: None)
    assert engine.score(prompts) == loaded(tied_model).score(prompts)


def test_a_prompt_that_is_too_long_fails_the_call_and_not_the_engine(tied_model: Model) -> None:
    engine = loaded(tied_model)
    with pytest.raises(EngineError, match="65 ids"):
        engine.score([[1], [2] * 65])
    assert engine.health() is None
    assert len(engine.score([[1], [2] * 64])) == 2


@pytest.mark.parametrize("token", [-1, VOCABULARY, 1 << 31])
def test_an_id_outside_the_vocabulary_fails_the_call_and_not_the_engine(tied_model: Model, token: int) -> None:
    engine = loaded(tied_model)
    with pytest.raises(EngineError, match="token ids"):
        engine.score([[1], [2, token], [3]])
    assert len(engine.score([[1], [2], [3]])) == 3


def test_an_empty_prompt_fails_the_call(tied_model: Model) -> None:
    with pytest.raises(EngineError, match="empty"):
        loaded(tied_model).score([[1], []])


def test_scores_that_are_no_numbers_are_never_returned(make_model: Callable[..., Model], tmp_path: Path) -> None:
    model = make_model(num_hidden_layers=1)
    torch.nn.init.constant_(model.transformers.model.norm.weight, float("nan"))
    model.transformers.save_pretrained(tmp_path)
    engine = PackedEngine(Settings())
    engine.load(checkpoint(tmp_path), lambda: None)
    with pytest.raises(EngineError, match="2 of 2 scores are not finite"):
        engine.score([[1], [2]])


def test_a_closed_engine_is_dead(tied_model: Model) -> None:
    engine = loaded(tied_model)
    engine.close()
    assert engine.health() == "the engine was closed"
    with pytest.raises(EngineDead):
        engine.score([[1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "qwen3 only"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "scaled rotary"),
        ({"use_sliding_window": True}, "sliding"),
        ({"quantization_config": {"bits": 4}}, "quantized"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"num_hidden_layers": 4}, "lacks the tensor layers.3"),
        ({"intermediate_size": 81}, "asks for"),
        ({"max_position_embeddings": 32}, "32 positions"),
    ],
    ids=str,
)
def test_what_it_would_compute_wrongly_is_refused(
    tied_model: Model, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    config = json.loads((tied_model.folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    (tmp_path / "model.safetensors").symlink_to(tied_model.folder / "model.safetensors")
    with pytest.raises(EngineLoadError, match=message) as caught:
        PackedEngine(Settings()).load(checkpoint(tmp_path), lambda: None)
    assert caught.value.reason == "ModelInvalid"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"tensor_parallel_size": 2}, "BadConfiguration"),
        ({"engine_args": {"swap_space": 4}}, "BadEngineArguments"),
        ({"quantization": "fp8"}, "BadConfiguration"),
    ],
    ids=str,
)
def test_settings_that_would_have_no_effect_are_refused(
    tied_model: Model, setting: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EngineLoadError, match=next(iter(setting))) as caught:
        PackedEngine(Settings(**setting)).load(checkpoint(tied_model.folder), lambda: None)
    assert caught.value.reason == reason


def test_a_broken_file_is_refused(tied_model: Model, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((tied_model.folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(EngineLoadError, match="can't be read"):
        PackedEngine(Settings()).load(checkpoint(tmp_path), lambda: None)


def test_version_and_capacity_are_known_before_loading() -> None:
    engine = PackedEngine(Settings())
    assert engine.version.startswith("packed torch 2")
    assert PackedEngine(Settings(quantization="fp8")).version == f"{engine.version} fp8"
    assert engine.capacity.max_prompt_tokens == 64
    assert engine.capacity.batch_documents >= 1000


def test_a_cpu_takes_small_submissions_one_after_another(tied_model: Model) -> None:
    capacity = loaded(tied_model).capacity
    assert (capacity.batch_tokens, capacity.overlaps) == (1024, False)
