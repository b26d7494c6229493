"""The packed model behind the engine protocol: picks the device, bounds the memory, turns failures into errors."""

import importlib.metadata
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from reranker_service.engines.packed.config import ModelConfig, UnsupportedModelError, read_config
from reranker_service.engines.packed.plan import Part, iterate
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

# Submissions are bounded by tokens; this only bounds those of very short documents.
DOCUMENTS = 4096
# A step on a CPU takes seconds per thousand tokens for a real model; short steps keep the sign of life honest.
CPU_PART_TOKENS = 1024
# Kept free beside weights and buffers: the library's workspace, captured graphs, the CUDA context.
RESERVED_BYTES = 1 << 30


class PackedSettings(Protocol):
    """What the engine reads of the service's settings."""

    @property
    def max_model_len(self) -> int:
        """Most ids of a prompt."""

    @property
    def dtype(self) -> str:
        """auto, float16, bfloat16 or float32."""

    @property
    def enforce_eager(self) -> bool | None:
        """True: capture no graphs."""

    @property
    def gpu_memory_utilization(self) -> float:
        """Share of the card's memory that weights and activations may take."""


Floats = NDArray[np.float32]
Wait = Callable[[], tuple[Floats, float | None]]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model on some device.

    submit: begins to score a batch; the function it returns waits for the log-odds, in order, and gives the device's
    seconds too, where it has any of its own. batch_tokens: most tokens that are computed in one forward pass.
    """

    submit: Callable[[Sequence[Prompts], Callable[[], None]], Wait]
    batch_tokens: int
    overlaps: bool


class PackedEngine:
    """Scores a whole submission in as few forward passes as its tokens need. See the engine protocol."""

    def __init__(self, settings: PackedSettings) -> None:
        self._settings = settings
        self._loaded: _Loaded | None = None
        self._failure: str | None = None
        self._on_step: Callable[[], None] = lambda: None

    @property
    def version(self) -> str:
        """`packed` and the version of torch that computes."""
        try:
            return f"packed torch {importlib.metadata.version('torch')}"
        except importlib.metadata.PackageNotFoundError:
            return "packed"

    @property
    def capacity(self) -> Capacity:
        """Nothing is generated, so prompts may have the model's whole length. Tokens are bounded by the device."""
        loaded = self._loaded
        return Capacity(
            self._settings.max_model_len,
            DOCUMENTS,
            batch_tokens=CPU_PART_TOKENS if loaded is None else loaded.batch_tokens,
            overlaps=loaded is not None and loaded.overlaps,
        )

    def load(self, checkpoint: Checkpoint, on_step: Callable[[], None]) -> None:
        """Import torch, read the weights, compile kernels and capture graphs for real shapes."""
        self._on_step = on_step
        try:
            import torch  # noqa: PLC0415 - takes seconds, and the port must be open by then
        except ImportError as error:
            raise EngineLoadError("EngineMissing", f"torch can't be imported: {error}") from error
        try:
            config = read_config(checkpoint.path)
            _check_length(self._settings.max_model_len, config)
            ids = checkpoint.tokenizer.yes_id, checkpoint.tokenizer.no_id
            load = _load_gpu if torch.cuda.is_available() else _load_cpu
            self._loaded = load(self._settings, checkpoint.path, config, ids, on_step)
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


def _check_length(max_model_len: int, config: ModelConfig) -> None:
    if max_model_len > config.max_positions:
        raise UnsupportedModelError(
            f"max_model_len is {max_model_len}, but the model has {config.max_positions} positions"
        )


def _check_ids(part: Part, vocabulary: int) -> None:
    """An id without an embedding would end the whole CUDA context, not just this call."""
    low, high = int(part.ids.min()), int(part.ids.max())
    if low < 0 or high >= vocabulary:
        raise ValueError(f"token ids go from {low} to {high}, but the model knows 0 to {vocabulary - 1}")


def _load_cpu(
    settings: PackedSettings, folder: Path, config: ModelConfig, ids: tuple[int, int], on_step: Callable[[], None]
) -> _Loaded:
    import torch  # noqa: PLC0415

    from reranker_service.engines.packed.reference import ReferenceModel  # noqa: PLC0415
    from reranker_service.engines.packed.weights import load_weights  # noqa: PLC0415

    name = "float32" if settings.dtype == "auto" else settings.dtype
    weights = load_weights(folder, config, yes_id=ids[0], no_id=ids[1], device="cpu", dtype=getattr(torch, name))
    model = ReferenceModel(config, weights)
    vocabulary = weights.embedding.shape[0]

    def compute(batch: Sequence[Prompts], on_step: Callable[[], None]) -> Floats:
        scores = np.full(sum(map(len, batch)), np.nan, dtype=np.float32)
        for part in iterate(batch, CPU_PART_TOKENS):
            _check_ids(part, vocabulary)
            scores[part.prompts] = model.forward(part).numpy()
            on_step()
        return scores

    log.info("packed engine on the CPU in %s", name)
    compute([Prompts.from_lists([[0, 1, 2], [0, 1, 3, 4]])], on_step)
    return _Loaded(lambda batch, on_step: lambda: (compute(batch, on_step), None), CPU_PART_TOKENS, overlaps=False)


def _load_gpu(
    settings: PackedSettings, folder: Path, config: ModelConfig, ids: tuple[int, int], on_step: Callable[[], None]
) -> _Loaded:
    import torch  # noqa: PLC0415

    from reranker_service.engines.packed.choices import choose  # noqa: PLC0415
    from reranker_service.engines.packed.compiling import start_compiling  # noqa: PLC0415
    from reranker_service.engines.packed.gpu import GpuModel, graph_sizes, token_bytes  # noqa: PLC0415
    from reranker_service.engines.packed.weights import load_weights  # noqa: PLC0415

    capability = torch.cuda.get_device_capability()
    name = config.dtype if settings.dtype == "auto" else settings.dtype
    if name == "bfloat16" and capability < (8, 0):
        name = "float16"
    dtype = getattr(torch, name)
    choices = choose(capability, name, config.group)
    compiled = start_compiling(config, choices, dtype)
    weights = load_weights(folder, config, yes_id=ids[0], no_id=ids[1], device="cuda", dtype=dtype)
    on_step()
    compiled()
    on_step()
    total = torch.cuda.get_device_properties(0).total_memory
    free = int(total * settings.gpu_memory_utilization) - torch.cuda.memory_allocated() - RESERVED_BYTES
    tokens = min(choices.part_tokens, max(0, free) // token_bytes(config, dtype.itemsize))
    if tokens < settings.max_model_len:
        raise EngineLoadError(
            "OutOfMemory",
            f"gpu_memory_utilization {settings.gpu_memory_utilization} leaves room for {tokens} tokens beside the "
            f"weights, less than one prompt of max_model_len {settings.max_model_len}",
        )
    model = GpuModel(config, weights, choices, max_tokens=tokens, max_positions=settings.max_model_len)
    vocabulary = weights.embedding.shape[0]

    def submit(batch: Sequence[Prompts], on_step: Callable[[], None]) -> Wait:
        results: list[tuple[Part, torch.Tensor]] = []
        begun, done = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True, blocking=True)
        begun.record()
        for part in iterate(batch, tokens):
            _check_ids(part, vocabulary)
            results.append((part, model.submit(part)))
        done.record()

        def wait() -> tuple[Floats, float]:
            # Blocking: it leaves the processor to the threads that tokenise what comes next.
            done.synchronize()
            on_step()
            return model.download(results, sum(map(len, batch))), begun.elapsed_time(done) / 1000

        return wait

    log.info("packed engine on %s in %s: parts of up to %d tokens", torch.cuda.get_device_name(), name, tokens)
    submit([Prompts.from_lists([[0, 1, 2]] * min(tokens // 3, DOCUMENTS))], on_step)()
    if not settings.enforce_eager:
        started = time.monotonic()
        sizes = graph_sizes(min(choices.graph_tokens, tokens))
        for size in sizes:
            model.capture(size)
            on_step()
        log.info("captured %d graphs in %.1f s", len(sizes), time.monotonic() - started)
    return _Loaded(submit, tokens, overlaps=True)
