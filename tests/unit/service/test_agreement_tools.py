"""The tools that compare scores: what they compare is what they say."""

import jinja2
import pytest

from hack.agreement.compare import difference
from hack.agreement.corpus import groups, spells_control
from hack.agreement.templates import VARIANTS
from reranker_service.scoring.prompts import STANDARD_SYSTEM

MESSAGES = [{"role": "query", "content": "Q"}, {"role": "document", "content": "D"}]
OFFICIAL = (
    f"<|im_start|>system\n{STANDARD_SYSTEM}<|im_end|>\n<|im_start|>user\n<Instruct>: I\n<Query>: Q\n<Document>: D"
    "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)


def rendered(name: str) -> str:
    template = VARIANTS[name][0]
    assert template is not None
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - prompts
    return environment.from_string(template).render(messages=MESSAGES, instruction="I")


def test_the_exact_template_renders_the_models_own_prompt() -> None:
    assert rendered("exact") == OFFICIAL


def test_the_published_template_loses_its_last_line_break() -> None:
    assert rendered("as published") == OFFICIAL[:-1]


@pytest.mark.parametrize("name", ["without thinking", "separated"])
def test_the_other_templates_differ_in_what_they_are_named_for(name: str) -> None:
    text = rendered(name)
    assert ("<think>" in text) is (name != "without thinking")
    assert ("\n\n<Query>: Q\n\n<Document>: D" in text) is (name == "separated")


def test_figures_of_a_difference() -> None:
    same = difference([([3.0, 2.0, 1.0], [3.0, 2.0, 1.0])])
    assert (same.documents, same.worst, same.swapped, same.top_kept) == (3, 0, 0, 1)
    other = difference([([3.0, 1.0, 2.0], [3.0, 2.0, 1.0]), (list(range(20)), list(range(20))[::-1])])
    assert other.documents == 23
    assert other.worst == 19
    assert other.swapped == pytest.approx((1 + 190) / (3 + 190))
    assert other.top_kept == pytest.approx(3 / 13)


def test_the_documents_are_of_all_kinds_and_the_same_every_time() -> None:
    made = groups(1000, 400)
    assert made == groups(1000, 400)
    texts = [document for group in made for document in group.documents]
    assert len(texts) == len(set(texts)) == 1000
    assert "" in texts
    assert max(map(len, texts)) > 1500
    assert 30 < sum(map(spells_control, texts)) < 60
