"""Compiles every kernel at once, while the weights are read: one after another takes most of a first start.

Triton compiles a kernel at its first launch, by types and sizes known then. Here each is launched on a few rows that
have nothing to compute. The compiler lets go of the interpreter for most of its work, so that threads do help.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from reranker_service.engines.packed.choices import AttentionChoice, Choices, ProductChoice
from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.fp8 import FP8
from reranker_service.engines.packed.kernels import GateProduct, Kernels
from reranker_service.engines.packed.plan import TILE_FIELDS
from reranker_service.engines.packed.products import multiprocessors

ROWS = 256


def start_compiling(config: ModelConfig, choices: Choices, dtype: Any, *, fp8: bool = False) -> Callable[[], None]:
    """Begin to compile for the current CUDA device; the function returned waits until all is done, or raises.

    `fp8`: what all layers but the last need in 8 bits, too.
    """
    pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="compile")
    futures: list[Future[None]] = [pool.submit(task) for task in _launches(config, choices, dtype, fp8)]
    pool.shutdown(wait=False)

    def wait() -> None:
        for future in futures:
            future.result()

    return wait


def _launches(config: ModelConfig, choices: Choices, dtype: Any, fp8: bool) -> list[Callable[[], None]]:
    """One launch of each kernel as the forward pass makes it."""
    kernels = Kernels(config, positions=ROWS, device="cuda", keys_ready=choices.keys_ready)

    def empty(rows: int, width: int, kind: Any = dtype) -> Any:
        return torch.zeros(rows, width, dtype=kind, device="cuda")

    states, normed = empty(ROWS, config.hidden), empty(ROWS, config.hidden)
    qkv, mixed = empty(ROWS, config.query_size + 2 * config.kv_size), empty(ROWS, config.query_size)
    weight, head_norm = empty(1, config.hidden)[0], empty(1, config.head_dim)[0]
    direction, scores = empty(1, config.hidden, torch.float32)[0], empty(1, ROWS, torch.float32)[0]
    places, tiles = empty(1, ROWS, torch.int32)[0], empty(1, TILE_FIELDS, torch.int32)
    queries, pairs = qkv[:, : config.query_size], qkv[:, config.query_size :]
    keys, values = pairs[:, : config.kv_size], pairs[:, config.kv_size :]

    def attend(choice: AttentionChoice, last: Any, output: Any = mixed) -> Callable[[], None]:
        return lambda: kernels.attend(
            queries, keys, values, output, query_norm=head_norm, key_norm=head_norm, positions=places,
            tiles=tiles, last=last, choice=choice,
        )  # fmt: skip

    launches: list[Callable[[], None]] = [
        attend(choices.attention, None),
        attend(choices.last_attention, places),
        lambda: kernels.norm(states, weight, normed),
        lambda: kernels.score(states, direction, scores),
    ]
    if choices.keys_ready:
        launches.append(lambda: kernels.prepare_keys(keys, head_norm, places))

    def gate(choice: ProductChoice | None, inputs: Any, scales: Any) -> Callable[[], None]:
        """Results are as wide as inputs: both in 8 bits or neither."""
        inner = empty(ROWS, config.intermediate, inputs.dtype)
        if choice is None:
            both = empty(ROWS, 2 * config.intermediate)
            return lambda: kernels.silu_mul(both, inner)
        product = GateProduct(choice, multiprocessors(states.device))
        weights = product.describe_weights(empty(2 * config.intermediate, config.hidden, inputs.dtype))
        return lambda: product(inputs, weights, inner, scales)

    launches.insert(0, gate(choices.gate, states, None))
    if fp8:
        narrow, entry = empty(ROWS, config.hidden, FP8), empty(1, config.hidden, torch.float32)[0]
        scales = empty(1, 2 * config.intermediate, torch.float32)[0]
        launches += [
            gate(choices.gate_fp8, narrow, scales),
            attend(choices.attention, None, empty(ROWS, config.query_size, FP8)),
            lambda: kernels.norm(states, entry, narrow),
            lambda: kernels.norm(states, entry, narrow, owed=normed),
            lambda: kernels.norm(states, weight, normed, owed=normed),
        ]
    return launches
