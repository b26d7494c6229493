"""Runs the GPU's forward pass on a CPU, its kernels in Triton's interpreter; prints the largest error in log-odds.

With `fp8` both sides compute in 8 bits, the other one in plain torch.

A program of its own: the interpreter is chosen when Triton is imported.
"""

import dataclasses
import os
import sys
from pathlib import Path

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter

from reranker_service.engines.packed import gpu, upload
from reranker_service.engines.packed.choices import ProductChoice, choose
from reranker_service.engines.packed.config import read_config
from reranker_service.engines.packed.fp8 import quantise
from reranker_service.engines.packed.fp8_reference import Fp8Reference
from reranker_service.engines.packed.plan import last_tiles, plan, token_tiles
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import ModelWeights, load_weights
from reranker_service.scoring.prompt_arrays import Prompts

YES, NO = 7, 11
CONVERT = interpreter._convert_float


def convert(values: np.ndarray, source: tl.dtype, target: tl.dtype, rounding: object) -> np.ndarray:
    """Conversion to 8 bits as GPUs do it. The interpreter's own loses the carry when it rounds up to a power of two,
    and cuts what is very small instead of rounding it."""
    if (source, target) == (tl.float32, tl.float8e4nv):
        floats = torch.from_numpy(np.ascontiguousarray(values).view(np.float32))
        return floats.to(torch.float8_e4m3fn).view(torch.uint8).numpy()
    return CONVERT(values, source, target, rounding)


interpreter._convert_float = convert


def largest_error(
    folder: Path, batch: list[Prompts], *, keys_ready: bool, padding: int, fused: bool, fp8: bool
) -> float:
    config = read_config(folder)
    torch.set_num_threads(1)

    def weights() -> ModelWeights:
        return load_weights(folder, config, yes_id=YES, no_id=NO, device="cpu", dtype=torch.float32)

    held, given = weights(), weights()
    quantised = quantise(config, given) if fp8 else []
    exact = Fp8Reference(config, quantise(config, held), held) if fp8 else ReferenceModel(config, held)
    choices = dataclasses.replace(choose((9, 0), "float32", config.group), keys_ready=keys_ready)
    if fused:
        gate = ProductChoice(rows=32, columns=32, inner=16, band=2, warps=4, stages=1)
        choices = dataclasses.replace(choices, gate=gate, gate_fp8=gate)
    model = gpu.GpuModel(config, given, choices, max_tokens=2000, max_positions=200, quantised=quantised)
    worst = 0.0
    for part in plan(batch, 120):
        tiles, ends = token_tiles(part, choices.attention.tile), last_tiles(part)
        sizes = (len(part.ids), len(part.last), len(tiles), len(ends))
        shape = upload.Shape(*(size + padding for size in sizes))
        for buffer in model._buffers.values():
            buffer.fill_(float("nan"))
        buffer = torch.full((shape.total,), -7, dtype=torch.int32)
        upload.fill(buffer.numpy(), shape, part, tiles, ends)
        scores = torch.full((shape.documents,), float("nan"))
        with torch.inference_mode():
            model._forward(upload.views(buffer, shape), scores)
        error = (scores[: len(part.last)] - exact.forward(part)).abs().max()
        worst = max(worst, float(error) if torch.isfinite(error) else float("inf"))
    return worst


if __name__ == "__main__":
    folder, seed, keys_ready, padding, fused, fp8 = Path(sys.argv[1]), *map(int, sys.argv[2:7])
    rng = np.random.default_rng(seed)
    batch = []
    for _ in range(2):
        head = rng.integers(0, 211, rng.integers(1, 30)).tolist()
        bodies = [rng.integers(0, 211, rng.integers(1, 20)).tolist() for _ in range(3)]
        batch.append(Prompts.from_lists([head + body for body in bodies]))
    flags = {"keys_ready": bool(keys_ready), "fused": bool(fused), "fp8": bool(fp8)}
    print(largest_error(folder, batch, padding=padding, **flags))
