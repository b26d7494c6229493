"""What scores mean against a golden set and a baseline. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from reranker_service.score_check.golden import Baseline, GoldenSet, Scoring

LogOdds = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """How a golden set's pairs came out.

    `worst_margin` is the least of (lead of the better document - margin asked for) over all pairs, in log-odds:
    negative exactly when a pair is violated. `worst` says in words which pair that is.
    """

    pairs: int
    violations: int
    worst_margin: float
    worst: str


@dataclass(frozen=True, slots=True)
class BaselineFigures:
    """How scores came out against earlier ones.

    status: none, compared or ignored. max_drift: the largest difference in log-odds. compared: how many documents.
    """

    status: str
    limit: float
    reason: str | None = None
    max_drift: float | None = None
    compared: int = 0

    @property
    def drifted(self) -> bool:
        """Whether a document's score is further from its earlier one than is allowed."""
        return self.max_drift is not None and self.max_drift > self.limit


def order_figures(golden: GoldenSet, log_odds: LogOdds) -> OrderFigures:
    """Count the pairs whose better document does not lead by its margin. Texts are named by place, never quoted."""
    spare: list[tuple[float, str]] = []
    for number, (case, scores) in enumerate(zip(golden.cases, log_odds, strict=True)):
        for better, worse, margin in case.ordered:
            lead = scores[better] - scores[worse]
            words = f"cases[{number}]: documents[{better}] leads documents[{worse}] by {lead:.3f}, needs {margin:g}"
            spare.append((lead - margin, words))
    worst_margin, worst = min(spare)
    return OrderFigures(len(spare), sum(value < 0 for value, _ in spare), worst_margin, worst)


def baseline_figures(
    baseline: Baseline | None, running: Scoring, log_odds: LogOdds, max_drift: float
) -> BaselineFigures:
    """Compare with a baseline, unless it belongs to another model, prompt or golden set."""
    if baseline is None:
        return BaselineFigures("none", max_drift)
    same_shape = [len(scores) for scores in log_odds] == [len(scores) for scores in baseline.log_odds]
    if running.differences(baseline) or not same_shape:
        return BaselineFigures("ignored", max_drift, "BaselineOfAnotherScoring")
    differences = [
        abs(now - then)
        for scores, earlier in zip(log_odds, baseline.log_odds, strict=True)
        for now, then in zip(scores, earlier, strict=True)
    ]
    return BaselineFigures("compared", max_drift, None, max(differences), len(differences))
