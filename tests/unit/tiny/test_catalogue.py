"""The made-up catalogue: reproducible, split without overlap, judged as a person would."""

import random

import pytest

from reranker_tiny import catalogue, dataset
from reranker_tiny.catalogue import Combination
from reranker_tiny.vocabulary import CATEGORIES, LANGUAGES, Language


def draws(seed: int, count: int, *, held_out: bool) -> list[dataset.Judged]:
    rng = random.Random(seed)
    return [dataset.draw(rng, LANGUAGES[index % 2], held_out=held_out) for index in range(count)]


def test_same_seed_writes_the_same_catalogue() -> None:
    assert draws(5, 20, held_out=False) == draws(5, 20, held_out=False)
    assert draws(5, 20, held_out=False) != draws(6, 20, held_out=False)


def test_no_combination_is_both_trained_on_and_held_out() -> None:
    trained = {c for group in draws(1, 200, held_out=False) for c in (group.asked, *group.offered)}
    evaluated = {c for group in draws(2, 60, held_out=True) for c in (group.asked, *group.offered)}
    assert len(evaluated) > 500
    assert trained.isdisjoint(evaluated)
    assert not any(combination.held_out() for combination in trained)
    assert all(combination.held_out() for combination in evaluated)


def test_about_one_combination_in_ten_is_held_out() -> None:
    every = [Combination(category, gender, colour=colour) for category in CATEGORIES
             for gender in catalogue.VALUES["gender"] for colour in catalogue.VALUES["colour"]]  # fmt: skip
    share = sum(combination.held_out() for combination in every) / len(every)
    assert 0.08 < share < 0.12


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_group_offers_something_to_rank(language: Language) -> None:
    rng = random.Random(3)
    levels = [dataset.draw(rng, language, held_out=True).levels for _ in range(60)]
    assert sum(max(group) == catalogue.MAX_LEVEL for group in levels) > 55
    assert sum(min(group) == 0 for group in levels) > 52
    assert {level for group in levels for level in group} == set(range(catalogue.MAX_LEVEL + 1))


def test_levels_fall_with_what_is_missing() -> None:
    query = Combination("tshirt", "women", style="sport", sleeve="short")
    offers = [
        Combination("tshirt", "women", style="sport", sleeve="short", colour="red"),
        Combination("tshirt", "women", style="sport", sleeve="long"),
        Combination("tshirt", "women", style="business", sleeve="short"),
        Combination("tshirt", "men", style="sport", sleeve="short"),
        Combination("leggings", "women", style="sport"),
    ]
    assert [catalogue.level(query, offer) for offer in offers] == [4, 3, 2, 1, 0]


def test_a_broader_word_matches_its_kinds_only() -> None:
    skirts = Combination("group:dresses")
    assert catalogue.level(skirts, Combination("dress", "women")) == 4
    assert catalogue.level(skirts, Combination("skirt")) == 4
    assert catalogue.level(skirts, Combination("jeans", "women")) == 0


def test_right_people_do_not_make_up_for_another_category() -> None:
    shoes_for_men = Combination("sneakers", "men")
    assert catalogue.level(shoes_for_men, Combination("suit", "men")) == 0
    assert catalogue.level(shoes_for_men, Combination("loafers", "men")) == 1
    assert catalogue.level(shoes_for_men, Combination("sneakers", "unisex")) == 4


def test_a_season_asked_for_is_met_by_a_span_that_holds_it() -> None:
    query = Combination("coat", season="autumn")
    assert catalogue.level(query, Combination("coat", season="autumn+winter")) == 4
    assert catalogue.level(query, Combination("coat", season="spring")) == 3
    assert catalogue.level(Combination("coat", season="autumn+winter"), Combination("coat", season="autumn")) == 3


def test_marks_point_at_the_words_that_state_an_attribute(encoder: dataset.Encoder) -> None:
    checked = 0
    for group in draws(11, 60, held_out=False):
        encoded = encoder.encode(group, "standard")
        asked, offered = encoder.places(group, encoded)
        stated = {attribute for attribute, _, _ in group.query.marks}
        assert stated == {name for name in ("category", *catalogue.COST) if group.asked.value(name) is not None}
        assert all(0 <= token < len(encoded.head) for _, token in asked)
        for document, tail, places in zip(group.documents, encoded.tails, offered, strict=True):
            for (attribute, begin, end), (placed, token) in zip(document.marks, places, strict=False):
                if (attribute, len(places)) != (placed, len(document.marks)):
                    continue
                # Everything up to the token, and no more, spells the title up to the mark's end.
                assert encoder.tokenizer.encode(f" {document.text[:end]}")[-1] == tail[token], document.text[begin:end]
                checked += 1
    assert checked > 500
