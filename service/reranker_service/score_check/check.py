"""Scores the golden set with the engine and says what that proves."""

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reranker_service.engines.protocol import Checkpoint, EngineLoadError
from reranker_service.score_check.files import (
    OWN_GOLDEN_SET,
    GoldenFile,
    GoldenSetError,
    read_baseline,
    read_golden_set,
)
from reranker_service.score_check.golden import Scoring
from reranker_service.score_check.verdict import BaselineFigures, OrderFigures, baseline_figures, order_figures
from reranker_service.scoring.prompts import PromptBuilder, QueryTooLong
from reranker_service.settings import CheckMode, Settings

log = logging.getLogger(__name__)

Score = Callable[[list[list[int]]], list[float]]


@dataclass(frozen=True, slots=True)
class Report:
    """The check's result as `/health` shows it.

    status: pending, passed, failed or skipped. reason: None, NoGoldenSet, OrderViolated, Drift or Disabled. log_odds: a
    list for each case, one value a document.
    """

    mode: CheckMode
    status: str
    message: str
    baseline: BaselineFigures
    reason: str | None = None
    golden: GoldenFile | None = None
    order: OrderFigures | None = None
    log_odds: list[list[float]] | None = None

    @property
    def forbids_serving(self) -> bool:
        """Whether this process must not take requests."""
        return self.status == "failed" and self.mode == "enforce"

    def as_json(self) -> dict[str, Any]:
        """The object in the body of `/health`."""
        golden_set = None
        if self.golden is not None and self.order is not None:
            golden_set = {
                "name": self.golden.golden.name,
                "sha256": self.golden.sha256,
                "pairs": self.order.pairs,
                "violations": self.order.violations,
                "worst_margin": self.order.worst_margin,
            }
        return {
            "mode": self.mode,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "golden_set": golden_set,
            "baseline": dataclasses.asdict(self.baseline),
            "log_odds": self.log_odds,
        }


class ScoreCheck:
    """One process's check.

    Args:
        settings: what is served, and the check's keys.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = settings.score_check
        self._golden: GoldenFile | None = None
        self._no_baseline = BaselineFigures("none", self._keys.max_drift)
        self.report = Report(self._keys.mode, "pending", "the model is still loading", self._no_baseline)

    def prepare(self, checkpoint: Checkpoint) -> None:
        """Read the golden set, before minutes go into loading a model that it could not be used on.

        Raises:
            EngineLoadError: BadConfiguration for a file that is configured, ModelInvalid for the model's own.
        """
        if self._keys.mode == "off":
            return
        own = checkpoint.path / OWN_GOLDEN_SET
        if self._keys.golden_set is None and not own.is_file():
            return
        try:
            self._golden = read_golden_set(Path(self._keys.golden_set or own))
        except GoldenSetError as error:
            if self._keys.golden_set is None:
                raise EngineLoadError("ModelInvalid", str(error)) from error
            raise EngineLoadError("BadConfiguration", f"score_check.golden_set: {error}") from error

    def run(self, checkpoint: Checkpoint, prompts: PromptBuilder, score: Score) -> None:
        """Set `report`.

        Args:
            checkpoint: the model that is loaded.
            prompts: builds what requests would get.
            score: log-odds of prompts, in their order.

        Raises:
            EngineLoadError: BadConfiguration when a case does not fit into max_model_len.
        """
        if self._keys.mode == "off":
            self.report = self._skipped("Disabled", "score_check.mode is off")
        elif self._golden is None:
            self.report = self._skipped(
                "NoGoldenSet", "nothing to prove the ranking with: name a golden set in score_check.golden_set"
            )
        else:
            self.report = self._judge(self._golden, self._score(self._golden, prompts, score), checkpoint)
        level = logging.ERROR if self.report.status == "failed" else logging.INFO
        log.log(level, "score check (%s) %s: %s", self._keys.mode, self.report.status, self.report.message)

    def _skipped(self, reason: str, message: str) -> Report:
        return Report(self._keys.mode, "skipped", message, self._no_baseline, reason)

    def _score(self, file: GoldenFile, prompts: PromptBuilder, score: Score) -> list[list[float]]:
        log_odds: list[list[float]] = []
        for number, case in enumerate(file.golden.cases):
            try:
                built = prompts.build(case.query, case.documents, case.instruction)
            except QueryTooLong as error:
                raise EngineLoadError(
                    "BadConfiguration", f"max_model_len is too small for cases[{number}] of the golden set: {error}"
                ) from error
            log_odds.append(score([prompt.token_ids for prompt in built]))
        return log_odds

    def _judge(self, file: GoldenFile, log_odds: list[list[float]], checkpoint: Checkpoint) -> Report:
        order = order_figures(file.golden, log_odds)
        baseline = self._compare(file, log_odds, checkpoint)
        status, reason = "passed", None
        message = f"{order.pairs} pairs are in order, the least spare margin is {order.worst_margin:.3f}"
        if baseline.max_drift is not None:
            message += f"; {baseline.compared} scores are within {baseline.max_drift:.4f} of the baseline"
        if order.violations:
            status, reason = "failed", "OrderViolated"
            message = f"{order.violations} of {order.pairs} pairs are not in order; {order.worst}"
        elif baseline.drifted:
            status, reason = "failed", "Drift"
            message = (
                f"a score differs by {baseline.max_drift:.4f} in log-odds from the baseline of this model, "
                f"{baseline.limit:g} is allowed"
            )
        return Report(self._keys.mode, status, message, baseline, reason, file, order, log_odds)

    def _compare(self, file: GoldenFile, log_odds: list[list[float]], checkpoint: Checkpoint) -> BaselineFigures:
        if self._keys.baseline is None:
            return self._no_baseline
        read = read_baseline(Path(self._keys.baseline))
        if isinstance(read, str):
            return BaselineFigures("ignored", self._keys.max_drift, read)
        running = Scoring(
            model=checkpoint.name,
            revision=checkpoint.revision,
            instruction_format=self._settings.instruction_format,
            instruction=self._settings.instruction,
            golden_set_sha256=file.sha256,
        )
        return baseline_figures(read, running, log_odds, self._keys.max_drift)
