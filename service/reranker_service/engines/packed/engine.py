"""The packed model behind the engine protocol: picks the device, bounds the memory, turns failures into errors."""

import contextlib
import importlib.metadata
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from reranker_service.engines.packed.config import ModelConfig, UnsupportedModelError, read_config
from reranker_service.engines.packed.loaded import CPU_PART_TOKENS, DOCUMENTS, Floats, Loaded, PackedSettings
from reranker_service.engines.protocol import (
    Answers,
    Capacity,
    Checkpoint,
    Collect,
    EngineDead,
    EngineError,
    EngineLoadError,
)
from reranker_service.scoring.prompt_arrays import Prompts

log = logging.getLogger(__name__)

T = TypeVar("T")


class PackedEngine:
    """Scores a whole submission in as few forward passes as its tokens need. See the engine protocol."""

    def __init__(self, settings: PackedSettings) -> None:
        self._settings = settings
        self._loaded: Loaded | None = None
        self._failure: str | None = None
        self._on_step: Callable[[], None] = lambda: None

    @property
    def version(self) -> str:
        """`packed`, the version of torch that computes, and fp8 where it does so in 8 bits."""
        names = ["packed"]
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            names.append(f"torch {importlib.metadata.version('torch')}")
        return " ".join([*names, *filter(None, [self._settings.quantization])])

    @property
    def capacity(self) -> Capacity:
        """Nothing is generated, so prompts may have the model's whole length. Tokens are bounded by the device."""
        loaded = self._loaded
        return Capacity(
            self._settings.max_model_len,
            DOCUMENTS,
            batch_tokens=CPU_PART_TOKENS if loaded is None else loaded.batch_tokens,
            submissions=1 if loaded is None else loaded.submissions,
        )

    def load(self, checkpoint: Checkpoint, on_step: Callable[[], None]) -> None:
        """Import torch, read the weights, compile kernels and capture graphs for real shapes."""
        self._on_step = on_step
        _refuse_unused(self._settings)
        try:
            import torch  # noqa: PLC0415 - takes seconds, and the port must be open by then
        except ImportError as error:
            raise EngineLoadError("EngineMissing", f"torch can't be imported: {error}") from error
        try:
            config = read_config(checkpoint.path)
            _check_length(self._settings.max_model_len, config)
            ids = checkpoint.tokenizer.yes_id, checkpoint.tokenizer.no_id
            if self._settings.quantization is not None:
                _check_quantization(config)
            from reranker_service.engines.packed.loaders import load_on_cpu, load_on_gpu  # noqa: PLC0415

            load = load_on_gpu if torch.cuda.is_available() else load_on_cpu
            self._loaded = load(self._settings, checkpoint.path, config, ids, on_step)
        except EngineLoadError:
            raise
        except torch.cuda.OutOfMemoryError as error:
            raise EngineLoadError("OutOfMemory", f"not enough GPU memory for the model: {error}") from error
        except (UnsupportedModelError, OSError, KeyError) as error:
            raise EngineLoadError("ModelInvalid", f"{checkpoint.path}: {error}") from error
        except RuntimeError as error:
            raise EngineLoadError("EngineFailed", f"{type(error).__name__}: {error}") from error

    def score(self, prompts: list[list[int]]) -> list[float]:
        """See the protocol."""
        try:
            batch = Prompts.from_lists(prompts)
        except ValueError as error:
            raise EngineError(str(error)) from error
        scores: list[float] = self.submit([batch])().log_odds.tolist()
        return scores

    def submit(self, batch: Sequence[Prompts]) -> Collect:
        """See the protocol. On a GPU the work has been queued when this returns."""
        if self._failure is not None:
            raise EngineDead(self._failure)
        if self._loaded is None:
            raise EngineError("the engine is not loaded")
        longest = max((prompts.longest for prompts in batch), default=0)
        if longest > self._settings.max_model_len:
            raise EngineError(f"a prompt has {longest} ids, but max_model_len is {self._settings.max_model_len}")
        submit = self._loaded.submit
        wait = self._guarded(lambda: submit(batch, self._on_step))
        return lambda: _finite(*self._guarded(wait))

    def takes_more(self) -> bool:
        """See the protocol. A device that failed has nothing more to compute; whoever asks for answers is told."""
        try:
            return self._loaded is None or self._loaded.idle()
        except RuntimeError:
            return True

    def _guarded(self, step: Callable[[], T]) -> T:
        """What `step` returns; its failures as the protocol's errors."""
        try:
            return step()
        except (RuntimeError, ValueError, IndexError) as error:
            self._judge(error)
            raise EngineError(f"{type(error).__name__}: {error}") from error

    def health(self) -> str | None:
        """None while the engine can score."""
        return self._failure

    def close(self) -> None:
        """Drop the model."""
        if self._loaded is not None:
            self._loaded, self._failure = None, self._failure or "the engine was closed"

    def _judge(self, error: Exception) -> None:
        """A CUDA error leaves the context unusable, whatever is tried next; running out of memory does not."""
        kind = type(error).__name__
        if kind == "AcceleratorError" or ("CUDA error" in str(error) and kind != "OutOfMemoryError"):
            self._failure = f"the GPU failed: {error}"
            raise EngineDead(self._failure) from error


def _finite(scores: Floats, device_s: float | None) -> Answers:
    wrong = int((~np.isfinite(scores)).sum())
    if wrong:
        raise EngineError(f"{wrong} of {len(scores)} scores are not finite")
    return Answers(scores.astype(np.float64), device_s)


def _refuse_unused(settings: PackedSettings) -> None:
    """What would have no effect here is an error: whoever set it expects one."""
    if settings.tensor_parallel_size != 1:
        raise EngineLoadError(
            "BadConfiguration",
            f"tensor_parallel_size is {settings.tensor_parallel_size}, but qwen3_packed runs on one GPU; set it to 1",
        )
    if settings.engine_args:
        names = ", ".join(sorted(settings.engine_args))
        raise EngineLoadError(
            "BadEngineArguments", f"engine_args ({names}) are vLLM's; qwen3_packed takes none, so leave them out"
        )


def _check_quantization(config: ModelConfig) -> None:
    """Whether this device computes in 8 bits, and the model's sizes allow it."""
    import torch  # noqa: PLC0415 - see `load`

    from reranker_service.engines.packed.fp8 import FIRST_CAPABILITY, check_shape  # noqa: PLC0415

    capability = torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    if capability is None or capability < FIRST_CAPABILITY:
        least = ".".join(map(str, FIRST_CAPABILITY))
        here = (
            "there is none"
            if capability is None
            else f"{torch.cuda.get_device_name()} has {'.'.join(map(str, capability))}"
        )
        raise EngineLoadError(
            "BadConfiguration",
            f"quantization fp8 needs an NVIDIA GPU of compute capability {least} or more, but {here}; "
            "leave quantization out",
        )
    check_shape(config)


def _check_length(max_model_len: int, config: ModelConfig) -> None:
    if max_model_len > config.max_positions:
        raise UnsupportedModelError(
            f"max_model_len is {max_model_len}, but the model has {config.max_positions} positions"
        )
