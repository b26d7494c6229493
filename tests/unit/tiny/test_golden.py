"""The golden set that ships: it holds for the right prompts of both formats, and for no wrong ones."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reranker_service.score_check.golden import GoldenSet
from reranker_service.score_check.verdict import OrderFigures, order_figures
from reranker_service.scoring.prompts import InstructionFormat
from reranker_service.settings import ScoreCheckKeys
from reranker_tiny import dataset, golden
from reranker_tiny.assemble import assemble
from reranker_tiny.evaluate import Scorer
from reranker_tiny.model import GOLDEN_NAME, WEIGHTS_FOLDER

# What the rounding of an engine may take from a lead, at most: bfloat16 logits come in steps of up to 1/8.
ROUNDING = 0.25

Score = Callable[[golden.Prompts, InstructionFormat], list[list[float]]]


@pytest.fixture(scope="module")
def shipped() -> GoldenSet:
    return GoldenSet.model_validate_json((WEIGHTS_FOLDER / GOLDEN_NAME).read_bytes())


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory, shipped: GoldenSet) -> Score:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("shipped")
    assemble(folder)
    scorer = Scorer(folder)

    def log_odds(build: golden.Prompts, form: InstructionFormat) -> list[list[float]]:
        """By plain transformers, for each case of the shipped set."""
        return [
            scorer.log_odds(build(scorer.encoder, case.query, case.documents, form)).tolist() for case in shipped.cases
        ]

    return log_odds


def in_language(shipped: GoldenSet, scores: list[list[float]], chinese: bool) -> OrderFigures:
    chosen = [
        (case, values)
        for case, values in zip(shipped.cases, scores, strict=True)
        if any(char >= "\u4e00" for char in case.query) is chinese
    ]
    cases = shipped.model_copy(update={"cases": [case for case, _ in chosen]})
    return order_figures(cases, [values for _, values in chosen])


LANGUAGES = [pytest.param(True, id="zh"), pytest.param(False, id="en")]


@pytest.mark.parametrize("chinese", LANGUAGES)
@pytest.mark.parametrize("form", dataset.FORMATS)
def test_right_prompts_pass_with_room_for_rounding(
    shipped: GoldenSet, score: Score, form: InstructionFormat, chinese: bool
) -> None:
    figures = in_language(shipped, score(golden._right, form), chinese)
    print(f"{form}, {'zh' if chinese else 'en'}: {figures.pairs} pairs, least spare margin {figures.worst_margin:.2f}")
    assert figures.pairs >= 10
    assert figures.violations == 0
    assert figures.worst_margin > ROUNDING


@pytest.mark.parametrize("chinese", LANGUAGES)
@pytest.mark.parametrize("form", dataset.FORMATS)
@pytest.mark.parametrize("fault", golden.FAULTS)
def test_every_fault_of_a_prompt_is_caught_in_each_format_and_language(
    shipped: GoldenSet, score: Score, fault: str, form: InstructionFormat, chinese: bool
) -> None:
    assert in_language(shipped, score(golden.FAULTS[fault], form), chinese).violations > 0


@pytest.mark.parametrize("form", dataset.FORMATS)
def test_yes_and_no_the_wrong_way_round_violate_every_pair(
    shipped: GoldenSet, score: Score, form: InstructionFormat
) -> None:
    swapped = [[-value for value in values] for values in score(golden._right, form)]
    assert order_figures(shipped, swapped).violations == shipped.pairs


def test_the_other_formats_prompt_is_further_from_a_baseline_than_is_allowed(score: Score) -> None:
    """Right prompts of the wrong format rank well, too: only earlier scores tell them apart."""
    compact, standard = (itertools.chain(*score(golden._right, form)) for form in dataset.FORMATS)
    assert max(abs(a - b) for a, b in zip(compact, standard, strict=True)) > 2 * ScoreCheckKeys().max_drift


def test_the_set_lies_in_an_assembled_folder(tmp_path: Path) -> None:
    assemble(tmp_path)
    assert (tmp_path / GOLDEN_NAME).read_bytes() == (WEIGHTS_FOLDER / GOLDEN_NAME).read_bytes()


def test_the_file_is_as_the_program_writes_it() -> None:
    text = (WEIGHTS_FOLDER / GOLDEN_NAME).read_text(encoding="utf-8")
    assert golden.render(json.loads(text)) == text
