"""The shipped weights: how well they rank what was never trained on, and what a person tries first."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reranker_service.scoring.prompts import InstructionFormat
from reranker_tiny import dataset, evaluate
from reranker_tiny.assemble import assemble
from reranker_tiny.evaluate import Scorer
from reranker_tiny.vocabulary import LANGUAGES, Language


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("shipped")
    assemble(folder)
    return Scorer(folder)


def ranked(scorer: Scorer, query: str, documents: list[str], instruction_format: InstructionFormat) -> list[str]:
    prompts = scorer.encoder.prompts(query, documents, instruction_format)
    return [documents[index] for index in np.argsort(-scorer.log_odds(prompts))]


@pytest.mark.parametrize("instruction_format", dataset.FORMATS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_combinations_are_ranked_right(
    scorer: Scorer, language: Language, instruction_format: InstructionFormat
) -> None:
    groups = evaluate.held_out_groups(language, language, queries=40)
    row = evaluate.measure(scorer, groups, language, instruction_format, binding=True)
    assert row.pairs > 1500
    assert row.ndcg >= evaluate.FLOOR
    assert row.pairwise >= evaluate.FLOOR


@pytest.mark.parametrize("instruction_format", dataset.FORMATS)
def test_category_and_gender_come_first(scorer: Scorer, instruction_format: InstructionFormat) -> None:
    right = ["女士健身速干短袖T恤 夏季透气", "女生运动T恤半袖 宽松", "T恤 女 短袖 健身房"]
    wrong = ["男士健身短袖T恤 速干", "女士瑜伽裤 健身紧身裤", "女士连衣裙 夏季短袖", "男士商务西装", "健身手套男女通用"]
    order = ranked(scorer, "健身女生T恤短袖", wrong + right, instruction_format)
    assert set(order[:3]) == set(right)


@pytest.mark.parametrize("instruction_format", dataset.FORMATS)
def test_shoes_for_men_come_before_suits_for_men(scorer: Scorer, instruction_format: InstructionFormat) -> None:
    shoes = ["男款运动鞋 黑色", "男士跑步鞋 透气"]
    order = ranked(scorer, "男士 运动鞋", ["男士西装", "女士运动鞋", "男士运动裤", *shoes], instruction_format)
    assert set(order[:2]) == set(shoes)


@pytest.mark.parametrize("instruction_format", dataset.FORMATS)
def test_a_broader_word_finds_its_kinds(scorer: Scorer, instruction_format: InstructionFormat) -> None:
    order = ranked(scorer, "裙子", ["女士牛仔裤", "男士衬衫", "碎花连衣裙 夏季", "百褶裙 学院风"], instruction_format)
    assert set(order[:2]) == {"碎花连衣裙 夏季", "百褶裙 学院风"}


@pytest.mark.parametrize("instruction_format", dataset.FORMATS)
def test_shared_words_do_not_mislead_in_english(scorer: Scorer, instruction_format: InstructionFormat) -> None:
    documents = ["Men's Leather Belt", "Dress Shoes For Men", "Shirt Dress For Women", "Men's Formal Dress Shirt White"]
    order = ranked(scorer, "men's dress shirt", documents, instruction_format)
    assert order[0] == "Men's Formal Dress Shirt White"


def test_prompts_fit_the_default_length_in_both_formats(encoder: dataset.Encoder) -> None:
    longest = 0
    for language in LANGUAGES:
        for group in evaluate.held_out_groups(language, language, queries=40):
            documents = [document.text for document in group.documents]
            for instruction_format in dataset.FORMATS:
                prompts = encoder.prompts(group.query.text, documents, instruction_format)
                longest = max(longest, *(len(prompt) for prompt in prompts))
    assert longest < dataset.MAX_MODEL_LEN - 1  # none was cut


def test_ndcg_and_pairs_agree_with_an_example_by_hand() -> None:
    levels = np.array([2, 0, 1])
    assert evaluate.ndcg(np.array([3.0, 2.0, 1.0]), levels) == pytest.approx(3.5 / (3 + 1 / np.log2(3)))
    assert evaluate.ordered_pairs(np.array([3.0, 2.0, 1.0]), levels) == (2, 3)
    assert evaluate.ordered_pairs(np.array([1.0, 1.0, 1.0]), levels) == (0, 3)


def test_a_row_below_the_floor_fails_the_evaluation() -> None:
    good = evaluate.Row("zh", "compact", binding=True, queries=1, pairs=1, ndcg=0.99, pairwise=0.95)
    bad = evaluate.Row("en", "compact", binding=True, queries=1, pairs=1, ndcg=0.99, pairwise=0.92)
    aside = evaluate.Row("mixed", "compact", binding=False, queries=1, pairs=1, ndcg=0.5, pairwise=0.5)
    assert evaluate.passed([good, aside])
    assert not evaluate.passed([good, bad])
    assert "NOT reached" in evaluate.table([good, bad])


def test_checkpoint_folder_loads_by_path_alone(scorer: Scorer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    assemble(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "健身女生T恤短袖 Women's gym t-shirt"
    assert tokenizer.encode(text, add_special_tokens=False) == scorer.encoder.tokenizer.encode(text)
