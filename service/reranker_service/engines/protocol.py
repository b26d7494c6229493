"""What the service asks of an engine, so that batching, order and limits are written once above all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.scoring.tokenizer import PromptTokenizer


class EngineError(RuntimeError):
    """An engine could not score what it was given. No score of that call may be used."""


class EngineDead(EngineError):  # noqa: N818 - a name that callers read as the condition
    """The engine will never score again in this process."""


class EngineLoadError(EngineError):
    """The model could not be loaded. `reason` is one CamelCase word that a controller can classify by."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's files on this machine.

    `name` and `revision` are what clients see; `path` holds config.json, the weights and tokenizer.json.
    """

    name: str
    revision: str | None
    path: Path
    tokenizer: PromptTokenizer


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an engine takes at once.

    max_prompt_tokens: ids of one prompt. batch_documents: prompts of one submission. batch_tokens: ids of one
    submission, a head counted once for the prompts that share it; None where the engine has its own way to bound them.
    submissions: most that are begun and not collected. From two on, `submit` returns while a device or another process
    computes, so that the next submission can be prepared meanwhile and a request's first documents are worth sending
    before its last are tokenised.
    """

    max_prompt_tokens: int
    batch_documents: int
    batch_tokens: int | None = None
    submissions: int = 1

    @property
    def overlaps(self) -> bool:
        """Whether it computes while the caller goes on."""
        return self.submissions > 1


LogOdds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """The log-odds of a submission's prompts, in order, and how long a device computed them, where that is known."""

    log_odds: LogOdds
    device_s: float | None = None


Collect = Callable[[], Answers]


class Engine(Protocol):
    """A model that turns prompts into log-odds.

    Every method but `health` is called from one and the same thread, `load` first and `close` last.
    """

    @property
    def version(self) -> str:
        """Name and version of the software that computes, such as `vllm 0.32.0`; known before `load`."""

    @property
    def capacity(self) -> Capacity:
        """`max_prompt_tokens` is known before `load`; the rest may depend on the device, and is final after it."""

    def load(self, checkpoint: Checkpoint, on_step: Callable[[], None]) -> None:
        """Make ready to score. `on_step` is to be called after each step that shows the engine is alive.

        Raises:
            EngineLoadError: the model can't be served.
        """

    def score(self, prompts: list[list[int]]) -> list[float]:
        """The log-odds of yes against no after each prompt (token ids), in the order given.

        Raises:
            EngineError: a prompt could not be scored; nothing of this call is usable.
            EngineDead: nor will any later call be.
        """

    def submit(self, batch: Sequence[Prompts]) -> Collect:
        """Begin to score the prompts of several requests.

        Returns:
            A function to be called once, which waits for the answers and raises what `score` raises. Submissions are
            collected in their order.

        Raises:
            EngineError: the submission could not be begun.
        """

    def takes_more(self) -> bool:
        """Whether to begin the next submission now rather than just before the last one's expected end.

        It is where all that was submitted has been computed, collected or not, and where the engine has a queue of its
        own. Returns at once.
        """

    def health(self) -> str | None:
        """None while the engine can score, else why it can't. Called from any thread, returns at once."""

    def close(self) -> None:
        """Free what `load` took, also after a failed `load`."""
