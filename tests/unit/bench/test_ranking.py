"""NDCG and MRR against values worked out by hand."""

from __future__ import annotations

from math import log2

import pytest

from reranker_bench.ranking import ndcg, order, reciprocal_rank


def test_ndcg_is_that_of_the_definition() -> None:
    ranked = [0, 2, 1]
    gained = 2 / log2(3) + 1 / log2(4)
    assert ndcg(ranked, [2, 1], 10) == pytest.approx(gained / (2 / log2(2) + 1 / log2(3)))
    assert ndcg(ranked, [2, 1], 2) == pytest.approx((2 / log2(3)) / (2 + 1 / log2(3)))
    assert ndcg(ranked, [2, 1], 10, exponential=True) == pytest.approx((3 / log2(3) + 1 / 2) / (3 + 1 / log2(3)))


def test_what_was_judged_good_but_is_not_there_to_rank_counts_against() -> None:
    assert ndcg([1, 0], [1, 1], 10) == pytest.approx(1 / (1 + 1 / log2(3)))
    assert ndcg([0, 0], [], 10) == 0.0
    assert ndcg([-1, 1], [1], 10) == pytest.approx(1 / log2(3))


def test_the_reciprocal_rank_is_of_the_first_relevant_one() -> None:
    assert reciprocal_rank([0, 0, 2, 1], 10) == pytest.approx(1 / 3)
    assert reciprocal_rank([0, 0, 2, 1], 2) == 0.0


def test_the_best_score_comes_first_and_equal_ones_by_lot() -> None:
    assert order([0.1, 0.9, 0.5], "seed") == [1, 2, 0]
    orders = {tuple(order([0.5] * 5, str(seed))) for seed in range(20)}
    assert len(orders) > 10
    assert order([0.5] * 5, "a") == order([0.5] * 5, "a")
