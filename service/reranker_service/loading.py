"""From settings to a model that is warm and proved: what the engine's thread does before the first request."""

import logging
import random
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reranker_service.checkpoint import resolve
from reranker_service.checkpoint_files import longest_prompt
from reranker_service.engines.protocol import Capacity, Checkpoint, Engine, EngineError, EngineLoadError
from reranker_service.hub import Transfer
from reranker_service.progress import Progress
from reranker_service.score_check.check import ScoreCheck
from reranker_service.scoring.ordering import InvalidScore, require_finite
from reranker_service.scoring.prompts import PromptBuilder, QueryTooLong
from reranker_service.scoring.tokenizer import TokenizerError
from reranker_service.settings import Settings

log = logging.getLogger(__name__)

# Most tokens of one warm-up call: enough for real shapes, bounded for long contexts on slow machines.
WARMUP_TOKENS = 16384
WARMUP_QUERY = "running shoes for men 男士跑步鞋"
WARMUP_SEED = 99


class Stage(StrEnum):
    """The words that `/health` shows while a model is loaded."""

    FINDING = "finding"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    WARMING_UP = "warming_up"
    CHECKING = "checking_scores"


@dataclass(frozen=True, slots=True)
class Loading:
    """How far a start is; the transfer where the model is downloaded."""

    stage: Stage = Stage.FINDING
    transfer: Transfer | None = None

    def as_json(self) -> dict[str, Any]:
        """The object in the body of `/health`."""
        if self.transfer is None:
            return {"stage": self.stage, "message": None, "downloaded_bytes": None, "total_bytes": None}
        done, total = self.transfer.done, self.transfer.total
        return {
            "stage": self.stage,
            "message": str(self.transfer),
            "downloaded_bytes": done,
            "total_bytes": total,
        }


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What requests need of a model once its engine is ready."""

    checkpoint: Checkpoint
    prompts: PromptBuilder


class Loader:
    """Loads a model into an engine, warms it up and has its scores checked.

    Args:
        settings: which model, and how its prompts are built.
        engine: loaded by `load`, which runs in the engine's thread.
        progress: learns from the warm-up how long an honest step takes.
    """

    def __init__(self, settings: Settings, engine: Engine, progress: Progress) -> None:
        self._settings = settings
        self._engine = engine
        self._progress = progress
        self._last_step = 0.0
        self._longest_step = 0.0
        self.score_check = ScoreCheck(settings)
        self.state = Loading()
        self.model: LoadedModel | None = None

    def load(self) -> None:
        """Set `model`.

        Raises:
            EngineLoadError: with a reason, whatever it was that failed.
        """
        started = time.monotonic()
        settings = self._settings
        checkpoint = resolve(settings.model_name, settings.revision, self._on_transfer)
        self.state = Loading(Stage.LOADING)
        longest = longest_prompt(checkpoint.path)
        if longest is not None and settings.max_model_len > longest:
            raise EngineLoadError(
                "BadConfiguration", f"max_model_len: {settings.max_model_len} is more than the model's own {longest}"
            )
        self.score_check.prepare(checkpoint)
        try:
            prompts = PromptBuilder(
                checkpoint.tokenizer,
                instruction_format=settings.instruction_format,
                instruction=settings.instruction,
                max_tokens=self._engine.capacity.max_prompt_tokens,
            )
            prompts.build("a", ["a"])
        except TokenizerError as error:
            raise EngineLoadError("ModelInvalid", str(error)) from error
        except QueryTooLong as error:
            raise EngineLoadError("BadConfiguration", f"max_model_len is too small for the prompt: {error}") from error
        self._engine.load(checkpoint, self._on_step)
        loaded = time.monotonic()
        log.info("%s loaded in %.1f s with %s; warming up", checkpoint.name, loaded - started, self._engine.version)
        self.state = Loading(Stage.WARMING_UP)
        self._warm_up(prompts)
        log.info("warmed up in %.1f s", time.monotonic() - loaded)
        self.state = Loading(Stage.CHECKING)
        self.score_check.run(checkpoint, prompts, self._score)
        self.model = LoadedModel(checkpoint, prompts)

    def _on_transfer(self, transfer: Transfer) -> None:
        if self.state.stage in (Stage.FINDING, Stage.DOWNLOADING):
            self.state = Loading(Stage.DOWNLOADING, transfer)

    def _warm_up(self, prompts: PromptBuilder) -> None:
        """Score what real requests look like: one document, a batch of titles, a batch of the greatest length."""
        capacity = self._engine.capacity
        numbers = random.Random(WARMUP_SEED)  # noqa: S311 - only to make documents that differ
        for documents, words in warmup_shapes(capacity):
            texts = [" ".join(str(numbers.randrange(10**6)) for _ in range(words)) for _ in range(documents)]
            try:
                built = prompts.build(WARMUP_QUERY, texts)
            except QueryTooLong:
                return  # so short a model length that even this query leaves no room; real ones decide for themselves
            # Only the last call's steps count as honest ones: earlier ones may compile what they meet first.
            self._last_step, self._longest_step = time.monotonic(), 0.0
            self._score([prompt.token_ids for prompt in built])
        self._progress.calibrate(self._longest_step)

    def _score(self, prompts: list[list[int]]) -> list[float]:
        """Log-odds of prompts before there are any requests, in submissions that the engine takes."""
        most = self._engine.capacity.batch_documents
        log_odds: list[float] = []
        try:
            for start in range(0, len(prompts), most):
                scores = self._engine.score(prompts[start : start + most])
                require_finite(scores)
                log_odds += scores
                self._on_step()
        except (EngineError, InvalidScore) as error:
            raise EngineLoadError("EngineFailed", f"the first prompts could not be scored: {error}") from error
        return log_odds

    def _on_step(self) -> None:
        now = time.monotonic()
        if self._last_step and self.model is None:
            self._longest_step = max(self._longest_step, now - self._last_step)
        self._last_step = now
        self._progress.step()


def warmup_shapes(capacity: Capacity) -> list[tuple[int, int]]:
    """(documents, words per document) of each warm-up call; six digits make at least six tokens."""
    tokens = min(WARMUP_TOKENS, capacity.batch_tokens or WARMUP_TOKENS)
    whole = max(1, min(capacity.batch_documents, tokens // capacity.max_prompt_tokens))
    titles = max(1, min(capacity.batch_documents, tokens // 128))
    return [(1, 4), (titles, 4), (whole, capacity.max_prompt_tokens // 6)]
