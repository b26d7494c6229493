"""Heads that are remembered from one part to the next: the same scores, fewer tokens, bounded memory."""

from collections.abc import Callable

import numpy as np
import pytest

from reranker_service.engines.packed.heads import HeadMemory, Recollection
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.scoring.prompt_arrays import Prompts

from .conftest import Model, lists, load, request, score

START = list(range(20, 32))


def batches(seed: int) -> list[list[Prompts]]:
    """Requests whose heads begin alike, are equal, contain one another, are short, or share nothing."""
    rng = np.random.default_rng(seed)

    def documents(count: int) -> list[list[int]]:
        return [rng.integers(3, 40, int(rng.integers(1, 9))).tolist() for _ in range(count)]

    heads = [[*START, 5, 6], [*START, 5, 6, 7, 8], START, [9, 10, 11], [], [*START, 5, 6], [12]]
    order = rng.permutation(len(heads))
    return [[request(heads[place], documents(int(rng.integers(1, 7)))) for place in order[:2]], *(
        [request(heads[place], documents(5))] for place in order
    )]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("remembered", [0, 14, 40, 512])
@pytest.mark.parametrize("budget", [30, 10_000])
def test_remembering_changes_no_score(tied_model: Model, seed: int, remembered: int, budget: int) -> None:
    reranker = load(tied_model, remembered=remembered)
    for batch in batches(seed):
        difference = np.abs(score(reranker, batch, budget) - tied_model.log_odds(lists(batch)))
        assert difference.max() < 1e-4


def test_a_model_of_one_layer_remembers_too(make_model: Callable[..., Model]) -> None:
    model = make_model(heads=2, kv_heads=1, head_dim=8, num_hidden_layers=1)
    reranker = load(model, remembered=512)
    for batch in batches(5):
        assert np.abs(score(reranker, batch, 10_000) - model.log_odds(lists(batch))).max() < 1e-4


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each part computes, as parts come."""
    counts: list[int] = []
    recall = HeadMemory.recall

    def counting(memory: HeadMemory, part: object) -> Recollection:
        found = recall(memory, part)  # type: ignore[arg-type]
        counts.append(len(found.rows))
        return found

    monkeypatch.setattr(HeadMemory, "recall", counting)
    return counts


def test_what_is_known_is_not_computed_again(tied_model: Model, computed: list[int]) -> None:
    reranker = load(tied_model, remembered=512)
    first, second = request([*START, 5, 6], [[1], [2, 3]]), request([*START, 5, 7], [[4, 4]])
    for batch in ([first], [first], [second], [request([], [[1, 2, 3]])], [first, second]):
        score(reranker, batch, 10_000)
    whole, shared = len(START) + 2, len(START) + 1
    assert computed == [whole + 3, 3, whole - shared + 2, 3, 3 + 2]


def test_each_part_of_a_large_request_computes_its_documents_only(tied_model: Model, computed: list[int]) -> None:
    score(load(tied_model, remembered=512), [request(START, [[1, 2]] * 9)], len(START) + 6)
    assert computed == [len(START) + 6, 6, 6]


def test_no_more_is_kept_than_allowed_and_the_latest_used_stays(tied_model: Model, computed: list[int]) -> None:
    reranker = load(tied_model, remembered=10)
    one, two, three = (request([place] * 4, [[1]]) for place in (50, 60, 70))
    longer = request([80] * 11, [[1]])
    for batch in ([one], [two], [one], [three], [one], [two], [longer], [longer]):
        score(reranker, batch, 10_000)
    # `three` takes the place of `two`, which was used before `one`; what is longer than all room is not kept.
    assert computed == [5, 5, 1, 5, 1, 5, 12, 12]


def test_a_pass_that_fails_leaves_nothing_half_known(tied_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = load(tied_model, remembered=512)
    batch = [request(START, [[1], [2, 3]])]
    with monkeypatch.context() as patch:
        patch.setattr(ReferenceModel, "_last_attention", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            score(reranker, batch, 10_000)
    assert np.abs(score(reranker, batch, 10_000) - tied_model.log_odds(lists(batch))).max() < 1e-4
