"""Figures of how far two lists of log-odds are apart, and what that does to the order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TOP = 10


@dataclass(frozen=True)
class Difference:
    """worst, mean: of |difference| in log-odds. swapped: share of pairs of documents that stand the other way round.

    top_kept: share of the expected best ten that are among the best ten.
    """

    documents: int
    worst: float
    mean: float
    swapped: float
    top_kept: float


def difference(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Difference:
    """Over (found, expected) of several queries; orders are compared within each."""
    gaps: list[float] = []
    swapped = pairs = kept = wanted = 0
    for found_list, expected_list in groups:
        found, expected = np.asarray(found_list), np.asarray(expected_list)
        gaps += np.abs(found - expected).tolist()
        ours, theirs = np.sign(found[:, None] - found[None, :]), np.sign(expected[:, None] - expected[None, :])
        swapped += int((ours * theirs < 0).sum()) // 2
        pairs += len(found) * (len(found) - 1) // 2
        best = min(TOP, len(found))
        kept += len(set(np.argsort(-found)[:best]) & set(np.argsort(-expected)[:best]))
        wanted += best
    return Difference(len(gaps), max(gaps), float(np.mean(gaps)), swapped / max(pairs, 1), kept / max(wanted, 1))
