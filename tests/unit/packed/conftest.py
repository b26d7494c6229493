"""Small random Qwen3 checkpoints on disk, and the prompts to score with them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from reranker_service.engines.packed.config import read_config
from reranker_service.engines.packed.plan import plan
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import load_weights
from reranker_service.scoring.prompt_arrays import Prompts

YES, NO = 7, 11
VOCABULARY = 211


@dataclass(frozen=True)
class Model:
    folder: Path
    transformers: Any

    def log_odds(self, prompts: list[list[int]]) -> np.ndarray:
        """One prompt at a time through transformers: no padding, no mask, nothing to get wrong."""
        with torch.inference_mode():
            logits = [self.transformers(torch.tensor([prompt])).logits[0, -1].float() for prompt in prompts]
        return np.asarray([float(row[YES] - row[NO]) for row in logits])


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Model]:
    def make(*, heads: int = 4, kv_heads: int = 2, head_dim: int = 16, tied: bool = True, **more: Any) -> Model:
        torch.manual_seed(heads * 100 + kv_heads * 10 + tied)
        config = Qwen3Config(
            vocab_size=VOCABULARY,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            head_dim=head_dim,
            tie_word_embeddings=tied,
            initializer_range=0.2,
            **({"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "rope_theta": 1e4} | more),
        )
        model = Qwen3ForCausalLM(config).eval()
        for name, parameter in model.named_parameters():
            if "norm" in name:
                torch.nn.init.uniform_(parameter, 0.5, 1.5)
        folder = tmp_path_factory.mktemp("checkpoint")
        model.save_pretrained(folder)
        assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen3"
        return Model(folder, model)

    return make


@pytest.fixture(scope="session")
def tied_model(make_model: Callable[..., Model]) -> Model:
    return make_model()


def draw_requests(rng: np.random.Generator, requests: int, documents: int, longest: int = 30) -> list[Prompts]:
    """Several requests, each with its own head behind a start that all share."""
    common = rng.integers(0, VOCABULARY, 5).tolist()
    batch = []
    for _ in range(requests):
        head = common + rng.integers(0, VOCABULARY, rng.integers(1, longest)).tolist()
        bodies = [rng.integers(0, VOCABULARY, rng.integers(1, longest)).tolist() for _ in range(documents)]
        batch.append(request(head, bodies))
    return batch


def request(head: list[int], bodies: list[list[int]]) -> Prompts:
    """One request's prompts; a head that they share by chance beyond `head` is not looked for."""
    lengths = np.asarray([len(body) for body in bodies], np.int32)
    return Prompts(
        np.asarray(head, np.int32), np.asarray([token for body in bodies for token in body], np.int32), lengths
    )


def lists(batch: list[Prompts]) -> list[list[int]]:
    """Each prompt of a batch, whole, in the order in which its score comes back."""
    return [ids for prompts in batch for ids in prompts.lists()]


def load(model: Model, dtype: torch.dtype = torch.float32, *, remembered: int = 0) -> ReferenceModel:
    """The plain path of a checkpoint, on the CPU."""
    config = read_config(model.folder)
    weights = load_weights(model.folder, config, yes_id=YES, no_id=NO, device="cpu", dtype=dtype)
    return ReferenceModel(config, weights, remembered_tokens=remembered)


def score(reranker: ReferenceModel, batch: list[Prompts], budget: int = 10_000) -> np.ndarray:
    """The log-odds of a batch, computed in parts of `budget` tokens."""
    scores = np.full(sum(map(len, batch)), np.nan)
    for part in plan(batch, budget):
        scores[part.prompts] = reranker.forward(part).numpy()
    return scores
