"""The extra lessons of training: what every word means, whether it was asked for, and what the whole pair lacks.

From the final score alone a model of this size learns next to nothing for thousands of steps, since it would have to
discover word meanings, the comparison and the sum at once. Each layer therefore gets a lesson of its own: behind the
first, the words' meanings; behind the second, whether a title's word meets the query; behind the last, how each
attribute asked for came out. Their weights are thrown away after training.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from reranker_tiny import catalogue, model
from reranker_tiny.dataset import Judged, Place
from reranker_tiny.network import Trace

ATTRIBUTES: Final = ("category", *catalogue.COST)
OUTCOMES: Final = {"match": 0, "open": 1, "clash": 2, "not asked": 3}
# Every value of every attribute; invented words share one for each.
MEANINGS: Final = {
    meaning: index
    for index, meaning in enumerate(
        [(attribute, value) for attribute, values in catalogue.VALUES.items() for value in values]
        + [("brand", catalogue.OPEN), ("category", catalogue.OPEN)]
    )
}


class Lessons(nn.Module):
    """Linear readers of the network's states, and their loss."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(model.HIDDEN, elementwise_affine=False)
        self.meaning = nn.Linear(model.HIDDEN, len(MEANINGS))
        self.outcome = nn.Linear(model.HIDDEN, len(OUTCOMES))
        self.summary = nn.Linear(model.HIDDEN, len(ATTRIBUTES) * len(OUTCOMES))

    def forward(
        self, trace: Trace, groups: list[Judged], places: list[tuple[list[Place], list[list[Place]]]]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mean losses of the three lessons: meanings, outcomes by word, outcomes by pair."""
        begins = trace.begins.tolist()
        query_row, query_token, query_meaning = [], [], []
        title_token, title_meaning, title_outcome, summary = [], [], [], []
        for row, (group, (asked, offered)) in enumerate(zip(groups, places, strict=True)):
            for attribute, token in asked:
                query_row.append(row)
                query_token.append(token)
                query_meaning.append(_meaning(group.asked, attribute))
            for column, product in enumerate(group.offered):
                outcomes = _outcomes(group.asked, product)
                summary.append([OUTCOMES[outcomes[attribute]] for attribute in ATTRIBUTES])
                for attribute, token in offered[column]:
                    title_token.append(begins[row][column] + token)
                    title_meaning.append(_meaning(product, attribute))
                    title_outcome.append(OUTCOMES[outcomes[attribute]])
        words = torch.cat([trace.heads[0][query_row, query_token], trace.tails[0][title_token]])
        meaning = functional.cross_entropy(self.meaning(self.norm(words)), torch.tensor(query_meaning + title_meaning))
        compared = self.outcome(self.norm(trace.tails[1][title_token]))
        outcome = functional.cross_entropy(compared, torch.tensor(title_outcome))
        answers = self.summary(self.norm(trace.decided)).unflatten(-1, (len(ATTRIBUTES), len(OUTCOMES)))
        return meaning, outcome, functional.cross_entropy(answers.flatten(0, 2), torch.tensor(summary).flatten())


def _meaning(combination: catalogue.Combination, attribute: str) -> int:
    value = combination.value(attribute) or ""
    known = catalogue.OPEN if value.startswith(catalogue.OPEN) else value
    return MEANINGS[attribute, known]


def _outcomes(asked: catalogue.Combination, product: catalogue.Combination) -> dict[str, str]:
    outcomes: dict[str, str] = dict.fromkeys(ATTRIBUTES, "not asked")
    outcomes.update(catalogue.matches(asked, product))
    if asked.category is not None:
        outcomes["category"] = catalogue.kinship(asked, product)
    return outcomes
