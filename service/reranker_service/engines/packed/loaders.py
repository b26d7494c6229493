"""Puts a checkpoint on a device and bounds what one forward pass may take of it."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.fp8 import Fp8Layer, quantise_layer
from reranker_service.engines.packed.loaded import (
    CPU_PART_TOKENS,
    DOCUMENTS,
    Floats,
    Loaded,
    PackedSettings,
    Wait,
)
from reranker_service.engines.packed.plan import iterate
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import LayerWeights, load_weights
from reranker_service.engines.protocol import EngineLoadError
from reranker_service.scoring.prompt_arrays import Prompts

if TYPE_CHECKING:
    from reranker_service.engines.packed.gpu import GpuModel

log = logging.getLogger(__name__)

# One that runs and one behind it: what is chosen later lets more requests into it.
SUBMISSIONS = 2
# Tokens of heads that a CPU keeps from one part to the next: some requests' worth, 112 MiB at the 0.6B shape.
REMEMBERED_TOKENS = 512
# Kept free beside weights and buffers: the library's workspace, captured graphs, the CUDA context.
RESERVED_BYTES = 1 << 30
GIB = 1 << 30

OnStep = Callable[[], None]


def load_on_cpu(
    settings: PackedSettings, folder: Path, config: ModelConfig, ids: tuple[int, int], on_step: OnStep
) -> Loaded:
    """The plain path; `ids` are those of yes and no."""
    name = "float32" if settings.dtype == "auto" else settings.dtype
    weights = load_weights(folder, config, yes_id=ids[0], no_id=ids[1], device="cpu", dtype=getattr(torch, name))
    remembered = REMEMBERED_TOKENS if settings.enable_prefix_caching else 0
    model = ReferenceModel(config, weights, remembered_tokens=remembered)

    def compute(batch: Sequence[Prompts], on_step: OnStep) -> Floats:
        scores = np.full(sum(map(len, batch)), np.nan, dtype=np.float32)
        for part in iterate(batch, CPU_PART_TOKENS):
            scores[part.prompts] = model.forward(part).numpy()
            on_step()
        return scores

    def submit(batch: Sequence[Prompts], on_step: OnStep) -> Wait:
        check_ids(batch, weights.embedding.shape[0])
        return lambda: (compute(batch, on_step), None)

    log.info("packed engine on the CPU in %s", name)
    compute([Prompts.from_lists([[0, 1, 2], [0, 1, 3, 4]])], on_step)
    return Loaded(submit, CPU_PART_TOKENS, submissions=1, idle=lambda: True)


def load_on_gpu(
    settings: PackedSettings, folder: Path, config: ModelConfig, ids: tuple[int, int], on_step: OnStep
) -> Loaded:
    """The kernels, on the current CUDA device; `ids` are those of yes and no.

    Raises:
        EngineLoadError: the share of the memory that the settings allow does not hold one prompt beside the weights.
    """
    # Not on a CPU: Triton may be missing there.
    from reranker_service.engines.packed.choices import choose  # noqa: PLC0415
    from reranker_service.engines.packed.compiling import start_compiling  # noqa: PLC0415
    from reranker_service.engines.packed.gpu import GpuModel, token_bytes  # noqa: PLC0415

    fp8 = settings.quantization is not None
    name = "bfloat16" if fp8 else _gpu_dtype(settings, config)
    dtype = getattr(torch, name)
    choices = choose(torch.cuda.get_device_capability(), name, config.group)
    compiled = start_compiling(config, choices, dtype, fp8=fp8)
    quantised: list[Fp8Layer] = []

    def quantise(layer: LayerWeights) -> None:
        """As it is read: all layers in bfloat16 would take twice the memory, if only for a moment."""
        quantised.append(quantise_layer(config, layer))

    weights = load_weights(
        folder,
        config,
        yes_id=ids[0],
        no_id=ids[1],
        device="cuda",
        dtype=dtype,
        take=quantise if fp8 else None,
    )
    torch.cuda.empty_cache()
    on_step()
    compiled()
    on_step()
    held = torch.cuda.memory_allocated()
    allowed = int(torch.cuda.get_device_properties(0).total_memory * settings.gpu_memory_utilization)
    each = token_bytes(config, dtype.itemsize)
    tokens = min(choices.part_tokens, max(0, allowed - held - RESERVED_BYTES) // each)
    if tokens < settings.max_model_len:
        raise EngineLoadError(
            "OutOfMemory",
            f"gpu_memory_utilization {settings.gpu_memory_utilization} leaves room for {tokens} tokens beside the "
            f"weights, less than one prompt of max_model_len {settings.max_model_len}",
        )
    model = GpuModel(
        config,
        weights,
        choices,
        max_tokens=tokens,
        max_positions=settings.max_model_len,
        quantised=quantised,
    )
    log.info(
        "packed engine on %s in %s%s: %.2f GiB of weights, %.2f GiB for parts of up to %d tokens, of %.2f GiB allowed",
        torch.cuda.get_device_name(), name, " and fp8" if fp8 else "", held / GIB, tokens * each / GIB, tokens,
        allowed / GIB,
    )  # fmt: skip
    submit = _submitter(model, weights.embedding.shape[0], tokens)
    submit([Prompts.from_lists([[0, 1, 2]] * min(tokens // 3, DOCUMENTS))], on_step)()
    if not settings.enforce_eager:
        _capture(model, min(choices.graph_tokens, tokens), on_step)
    return Loaded(submit, tokens, submissions=SUBMISSIONS, idle=torch.cuda.current_stream().query)


def check_ids(batch: Sequence[Prompts], vocabulary: int) -> None:
    """Refuse an id without an embedding: it would end the whole CUDA context, not just this call.

    Raises:
        ValueError: there is one.
    """
    for prompts in batch:
        for ids in (prompts.head, prompts.bodies):
            low, high = (int(ids.min()), int(ids.max())) if len(ids) else (0, 0)
            if low < 0 or high >= vocabulary:
                raise ValueError(f"token ids go from {low} to {high}, but the model knows 0 to {vocabulary - 1}")


def _gpu_dtype(settings: PackedSettings, config: ModelConfig) -> str:
    name = config.dtype if settings.dtype == "auto" else settings.dtype
    return "float16" if name == "bfloat16" and torch.cuda.get_device_capability() < (8, 0) else name


def _capture(model: "GpuModel", tokens: int, on_step: OnStep) -> None:
    from reranker_service.engines.packed.gpu import graph_sizes  # noqa: PLC0415

    started = time.monotonic()
    sizes = graph_sizes(tokens)
    for size in sizes:
        model.capture(size)
        on_step()
    log.info("captured %d graphs in %.1f s", len(sizes), time.monotonic() - started)


def _submitter(model: "GpuModel", vocabulary: int, tokens: int) -> Callable[[Sequence[Prompts], OnStep], Wait]:
    """The function that queues a batch in parts of up to `tokens` tokens."""
    from reranker_service.engines.packed.upload import AnswerMemory  # noqa: PLC0415

    memory = AnswerMemory(DOCUMENTS, SUBMISSIONS + 1)

    def submit(batch: Sequence[Prompts], on_step: OnStep) -> Wait:
        check_ids(batch, vocabulary)
        begun, done = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        documents = sum(map(len, batch))
        answers = memory.take(documents)
        places: list[NDArray[np.int64]] = []
        begun.record()
        start = 0
        for part in iterate(batch, tokens):
            stop = start + len(part.prompts)
            model.submit(part, answers[start:stop])
            places.append(part.prompts)
            start = stop
        done.record()

        def wait() -> tuple[Floats, float]:
            done.synchronize()
            on_step()
            scores = np.full(documents, np.nan, dtype=np.float32)
            scores[np.concatenate(places)] = answers[:documents].numpy()
            memory.give_back(answers)
            return scores, begun.elapsed_time(done) / 1000

        return wait

    return submit
