"""What the service asks of an engine, so that batching, order and limits are written once above all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
    """`max_prompt_tokens` ids fit in one prompt; `batch_documents` prompts at most go into one `score` call."""

    max_prompt_tokens: int
    batch_documents: int


class Engine(Protocol):
    """A model that turns prompts into log-odds.

    Every method but `health` is called from one and the same thread, `load` first and `close` last.
    """

    @property
    def version(self) -> str:
        """Name and version of the software that computes, such as `vllm 0.32.0`; known before `load`."""

    @property
    def capacity(self) -> Capacity:
        """Known before `load`."""

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

    def health(self) -> str | None:
        """None while the engine can score, else why it can't. Called from any thread, returns at once."""

    def close(self) -> None:
        """Free what `load` took, also after a failed `load`."""
