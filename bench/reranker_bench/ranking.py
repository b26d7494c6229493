"""How good a ranking is: NDCG and MRR, as trec_eval defines them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence


def order(scores: Sequence[float], seed: str) -> list[int]:
    """Indexes, best first. Equal scores come in an order drawn from the seed.

    Files of judgements often list the good documents first; with ties left in the file's order, a model that gives all
    documents the same score would look perfect.
    """
    draw = random.Random(seed)
    ties = [draw.random() for _ in scores]
    return sorted(range(len(scores)), key=lambda index: (-scores[index], ties[index]))


def ndcg(ranked: Sequence[float], ideal: Sequence[float], k: int, *, exponential: bool = False) -> float:
    """Normalised discounted cumulative gain of the first k.

    Args:
        ranked: relevances in the order of the ranking.
        ideal: relevances of all that was judged, in any order.
        k: how deep to look.
        exponential: gain 2**relevance - 1 instead of the relevance itself.
    """
    best = _dcg(sorted(ideal, reverse=True)[:k], exponential=exponential)
    return _dcg(ranked[:k], exponential=exponential) / best if best else 0.0


def reciprocal_rank(ranked: Sequence[float], k: int, relevant_from: float = 1.0) -> float:
    """1 / place of the first relevant document among the first k; 0 where there is none."""
    return next((1 / place for place, value in enumerate(ranked[:k], 1) if value >= relevant_from), 0.0)


def _dcg(relevances: Sequence[float], *, exponential: bool) -> float:
    gains = [(2.0**value - 1 if exponential else value) if value > 0 else 0.0 for value in relevances]
    return math.fsum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))
