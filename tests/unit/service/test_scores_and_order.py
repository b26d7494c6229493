"""Scores, order and duplicates: the rules that must hold for every engine."""

import math
import random

import pytest

from reranker_service.scoring.dedup import deduplicate
from reranker_service.scoring.ordering import InvalidScore, rank, require_finite, sigmoid, sigmoids


def test_the_best_comes_first_and_ties_keep_the_order_of_the_request() -> None:
    assert rank([0.5, 2.0, -1.0, 2.0, 0.5]) == [1, 3, 0, 4, 2]


def test_documents_whose_probabilities_saturate_are_still_ordered() -> None:
    log_odds = [40.0, 41.0, 39.0]
    assert {sigmoid(value) for value in log_odds} == {1.0}
    assert rank(log_odds) == [1, 0, 2]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_an_error_and_names_its_document(bad: float) -> None:
    with pytest.raises(InvalidScore, match="for document 1") as caught:
        rank([0.0, bad, 1.0])
    assert caught.value.index == 1
    with pytest.raises(InvalidScore):
        require_finite([bad])


@pytest.mark.parametrize("value", [-1e308, -745.2, -30.0, -1.0, 0.0, 1.0, 30.0, 1e308])
def test_the_sigmoid_neither_overflows_nor_loses_small_values(value: float) -> None:
    score = sigmoid(value)
    assert 0.0 <= score <= 1.0
    assert sigmoid(-value) == pytest.approx(1 - score, abs=1e-15)
    if -700 < value < 30:
        assert math.log(score) - math.log1p(-score) == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_duplicates_are_found_by_their_exact_text() -> None:
    found = deduplicate(["b", "a", "b", "A", "a ", "b"])
    assert found.unique == ["b", "a", "A", "a "]
    assert found.positions == [0, 1, 0, 2, 3, 0]
    assert found.removed == 2


def test_texts_that_only_look_the_same_are_not_duplicates() -> None:
    assert deduplicate(["é", "e\u0301"]).removed == 0


def test_every_document_finds_its_own_text_again() -> None:
    numbers = random.Random(3)
    documents = [str(numbers.randrange(50)) for _ in range(500)]
    found = deduplicate(documents)
    assert [found.unique[position] for position in found.positions] == documents
    assert len(set(found.unique)) == len(found.unique)


def test_many_sigmoids_are_each_the_one() -> None:
    values = [-800.0, -37.5, -1e-9, 0.0, 1e-9, 0.3, 36.0, 800.0]
    assert sigmoids(values) == pytest.approx([sigmoid(value) for value in values], rel=1e-15, abs=0)
