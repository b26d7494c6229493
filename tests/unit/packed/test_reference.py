"""The plain path against transformers, in float32 and bfloat16, over shapes, heads and mixed requests."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from reranker_service.engines.packed import reference
from reranker_service.scoring.prompt_arrays import Prompts

from .conftest import VOCABULARY, Model, draw_requests, lists, load, request, score


@pytest.mark.parametrize(
    "shape",
    [
        {"heads": 4, "kv_heads": 2, "tied": True},
        {"heads": 4, "kv_heads": 2, "tied": False},
        {"heads": 4, "kv_heads": 4, "tied": True},
        {"heads": 6, "kv_heads": 1, "head_dim": 32, "tied": False},
        {"heads": 2, "kv_heads": 1, "head_dim": 8, "num_hidden_layers": 1},
        {"heads": 8, "kv_heads": 2, "hidden_size": 72, "rope_theta": 1e6},
    ],
    ids=str,
)
def test_float32_log_odds_equal_transformers(make_model: Callable[..., Model], shape: dict[str, int]) -> None:
    model = make_model(**shape)
    prompts = draw_requests(np.random.default_rng(0), requests=3, documents=9)
    difference = np.abs(score(load(model), prompts) - model.log_odds(lists(prompts)))
    assert difference.max() < 1e-4


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("budget", [60, 10_000])
def test_any_mixture_of_requests_in_any_parts_scores_the_same(tied_model: Model, seed: int, budget: int) -> None:
    rng = np.random.default_rng(seed)
    prompts = draw_requests(rng, requests=int(rng.integers(1, 5)), documents=int(rng.integers(1, 12)), longest=50)
    twice = prompts[0].slice(0, 1)
    prompts += [request([], [[3], [3, 4]]), twice, request([], [rng.integers(0, VOCABULARY, 130).tolist()])]
    difference = np.abs(score(load(tied_model), prompts, budget) - tied_model.log_odds(lists(prompts)))
    assert difference.max() < 1e-4


def test_long_texts_are_attended_in_blocks(tied_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "QUERY_BLOCK", 7)
    monkeypatch.setattr(reference, "KEY_ELEMENTS", 4000)
    prompts = draw_requests(np.random.default_rng(2), requests=2, documents=6, longest=40)
    difference = np.abs(score(load(tied_model), prompts) - tied_model.log_odds(lists(prompts)))
    assert difference.max() < 1e-4


def test_a_document_scores_the_same_alone_and_among_others(tied_model: Model) -> None:
    prompts = draw_requests(np.random.default_rng(3), requests=2, documents=20)
    reranker = load(tied_model)
    together = score(reranker, prompts)
    alone = np.concatenate([score(reranker, [Prompts.from_lists([prompt])]) for prompt in lists(prompts)])
    assert np.abs(together - alone).max() < 1e-4


def test_bfloat16_is_no_further_from_float32_than_transformers_in_bfloat16(make_model: Callable[..., Model]) -> None:
    model = make_model(tied=False, hidden_size=64)
    prompts = draw_requests(np.random.default_rng(4), requests=3, documents=20)
    exact = model.log_odds(lists(prompts))
    ours = np.abs(score(load(model, torch.bfloat16), prompts) - exact)
    low = Model(model.folder, type(model.transformers).from_pretrained(model.folder, dtype=torch.bfloat16).eval())
    theirs = np.abs(low.log_odds(lists(prompts)) - exact)
    assert np.sqrt((ours**2).mean()) < 1.1 * np.sqrt((theirs**2).mean())
