"""Measures a checkpoint folder on held-out combinations, through transformers and the service's whole prompts.

What is measured is what is served: the assembled folder, loaded as any Qwen3ForCausalLM, one full prompt per document.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from transformers import Qwen3ForCausalLM

from reranker_service.scoring.prompts import InstructionFormat
from reranker_tiny import dataset
from reranker_tiny.dataset import Encoder, Judged
from reranker_tiny.model import Array
from reranker_tiny.vocabulary import Language

SEED: Final = 7
FLOOR: Final = 0.93
CUT: Final = 10
BATCH: Final = 64
DIRECTIONS: Final[tuple[tuple[Language, Language], ...]] = (("zh", "zh"), ("en", "en"), ("zh", "en"), ("en", "zh"))


@dataclass(frozen=True)
class Row:
    """The result for one language and format.

    `binding` rows must reach the floor; the others (query in one language, titles in the other) are for information.
    """

    name: str
    instruction_format: InstructionFormat
    binding: bool
    queries: int
    pairs: int
    ndcg: float
    pairwise: float


class Scorer:
    """A checkpoint folder as plain fp32 transformers."""

    def __init__(self, checkpoint: Path) -> None:
        self.encoder = Encoder(checkpoint / "tokenizer.json")
        self._model = Qwen3ForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()

    def log_odds(self, prompts: Sequence[Sequence[int]]) -> Array:
        """logit(yes) - logit(no) at each prompt's last token, float32 of shape (prompts,)."""
        scores = np.empty(len(prompts), dtype=np.float32)
        # Alike lengths together, so that little is spent on padding.
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        yes_no = [self.encoder.tokenizer.yes_id, self.encoder.tokenizer.no_id]
        head = self._model.lm_head.weight[yes_no]
        for begin in range(0, len(order), BATCH):
            chosen = order[begin : begin + BATCH]
            width = len(prompts[chosen[-1]])
            ids = torch.zeros(len(chosen), width, dtype=torch.long)
            mask = torch.zeros(len(chosen), width, dtype=torch.long)
            for row, index in enumerate(chosen):
                ids[row, : len(prompts[index])] = torch.tensor(prompts[index])
                mask[row, : len(prompts[index])] = 1
            with torch.inference_mode():
                states = self._model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
                last = states[torch.arange(len(chosen)), mask.sum(1) - 1]
                yes, no = (last @ head.T).unbind(-1)
            scores[chosen] = (yes - no).numpy()
        return scores


def evaluate(checkpoint: Path, *, queries: int, seed: int = SEED) -> list[Row]:
    """Measure both languages, the two mixed directions, and both formats, on `queries` held-out queries each."""
    scorer = Scorer(checkpoint)
    rows = []
    for asked, offered in DIRECTIONS:
        groups = held_out_groups(asked, offered, queries=queries, seed=seed)
        name = asked if asked == offered else f"{asked} query, {offered} titles"
        rows += [measure(scorer, groups, name, form, binding=asked == offered) for form in dataset.FORMATS]
    return rows


def held_out_groups(asked: Language, offered: Language, *, queries: int, seed: int = SEED) -> list[Judged]:
    """Held-out queries whose products differ in relevance (an order of equals can't be right or wrong)."""
    rng = random.Random(f"{seed} {asked} {offered}")
    groups: list[Judged] = []
    while len(groups) < queries:
        group = dataset.draw(rng, asked, held_out=True, document_language=offered)
        if min(group.levels) < max(group.levels):
            groups.append(group)
    return groups


def ndcg(scores: Array, levels: Array, cut: int = CUT) -> float:
    """NDCG at `cut` with gains 2^level - 1; some level must be above 0."""
    gains = 2.0**levels - 1
    discounts = 1 / np.log2(np.arange(2, cut + 2))
    ranked = gains[np.argsort(-scores, kind="stable")][:cut]
    best = np.sort(gains)[::-1][:cut]
    return float((ranked * discounts[: len(ranked)]).sum() / (best * discounts[: len(best)]).sum())


def ordered_pairs(scores: Array, levels: Array) -> tuple[int, int]:
    """Of all pairs of different level: how many are scored in the right order, and how many there are."""
    better = levels[:, None] > levels[None, :]
    right = scores[:, None] > scores[None, :]
    return int((right & better).sum()), int(better.sum())


def passed(rows: list[Row]) -> bool:
    """Whether every binding row reaches the floor in both measures."""
    return all(min(row.ndcg, row.pairwise) >= FLOOR for row in rows if row.binding)


def table(rows: list[Row]) -> str:
    """The rows for a terminal, and the verdict."""
    lines = [f"{'held-out':<22} {'format':<10} {'queries':>7} {'pairs':>7} {'NDCG@10':>8} {'pairwise':>9}"]
    for row in rows:
        counts = f"{row.queries:>7} {row.pairs:>7} {row.ndcg:>8.3f} {row.pairwise:>9.3f}"
        note = "" if row.binding else "  (for information)"
        lines.append(f"{row.name:<22} {row.instruction_format:<10} {counts}{note}")
    verdict = "reached" if passed(rows) else "NOT reached"
    return "\n".join([*lines, f"floor of {FLOOR} for zh and en, both measures, both formats: {verdict}"])


def measure(
    scorer: Scorer, groups: list[Judged], name: str, instruction_format: InstructionFormat, *, binding: bool
) -> Row:
    """Score the groups' prompts in one format; NDCG is the mean over queries, pairwise counts all pairs alike."""
    prompts: list[list[int]] = []
    for group in groups:
        documents = [document.text for document in group.documents]
        prompts += scorer.encoder.prompts(group.query.text, documents, instruction_format)
    scores = scorer.log_odds(prompts).reshape(len(groups), -1)
    levels = [np.asarray(group.levels) for group in groups]
    counts = [ordered_pairs(row, level) for row, level in zip(scores, levels, strict=True)]
    right, total = (sum(count) for count in zip(*counts, strict=True))
    return Row(
        name=name,
        instruction_format=instruction_format,
        binding=binding,
        queries=len(groups),
        pairs=total,
        ndcg=float(np.mean([ndcg(row, level) for row, level in zip(scores, levels, strict=True)])),
        pairwise=right / total,
    )
