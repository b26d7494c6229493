"""From log-odds to scores and to an order that is the same on every run.

The order is taken from the log-odds, not from the scores: in float64 the sigmoid is exactly 1.0 from 37 on, so that a
good and a very good document would tie.
"""

import math
from collections.abc import Sequence

import numpy as np


class InvalidScore(ArithmeticError):  # noqa: N818 - a name that callers read as the condition
    """An engine gave NaN or an infinity for a document, so that no order exists."""

    def __init__(self, index: int, value: float) -> None:
        self.index = index
        super().__init__(f"the engine returned {value} for document {index}")


def sigmoid(log_odds: float) -> float:
    """The probability of `yes`, in float64, without overflow on either side."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


def sigmoids(log_odds: Sequence[float]) -> list[float]:
    """The sigmoid of each value; one call for a thousand values takes as long as ten of `sigmoid`."""
    values = np.asarray(log_odds, np.float64)
    small = np.exp(-np.abs(values))
    scores: list[float] = (np.where(values >= 0, 1.0, small) / (1.0 + small)).tolist()
    return scores


def require_finite(log_odds: Sequence[float]) -> None:
    """Raise InvalidScore for the first value that is NaN or infinite."""
    finite = np.isfinite(np.asarray(log_odds, np.float64))
    if not finite.all():
        index = int(finite.argmin())
        raise InvalidScore(index, log_odds[index])


def rank(log_odds: Sequence[float]) -> list[int]:
    """Indices from best to worst: score down, then index up.

    Raises:
        InvalidScore: a value is NaN or infinite.
    """
    require_finite(log_odds)
    order: list[int] = np.argsort(-np.asarray(log_odds, np.float64), kind="stable").tolist()
    return order
