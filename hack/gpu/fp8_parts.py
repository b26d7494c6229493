"""The parts of `hack.gpu.fp8`: `python3 -m hack.gpu.fp8_parts PART FOLDER`. Every step's error ends that step only."""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hack.gpu import bench, common
from hack.gpu.common import SMALL, say
from hack.gpu.fp8_kernels import attempt, gate, in_8_bits, per_row, per_tensor, products, scaled, tflops
from hack.gpu.scoring import plain, run
from reranker_service.engines.packed.choices import Choices
from reranker_service.engines.packed.compiling import start_compiling
from reranker_service.engines.packed.config import ModelConfig, read_config
from reranker_service.engines.packed.fp8 import FP8, LARGEST, Matrix, quantise
from reranker_service.engines.packed.fp8_reference import Fp8Reference
from reranker_service.engines.packed.gpu import GpuModel
from reranker_service.engines.packed.plan import plan
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import ModelWeights, load_weights
from reranker_service.scoring.prompt_arrays import Prompts

COUNTS = (100, 200, 400, 600, 800, 1000)
MOST = 32768


class RowScaled(Fp8Reference):
    """The usual scheme, for comparison: inputs scaled by the largest of each row, found at run time."""

    def _product(self, inputs: Tensor, matrix: Matrix) -> Tensor:
        scale = inputs.abs().amax(-1, keepdim=True).clamp_min(1e-12) / LARGEST
        rounded = (inputs / scale).to(FP8).float()
        return functional.linear(rounded, matrix.values.float()) * matrix.scale * scale


def packed(
    config: ModelConfig, weights: ModelWeights, choices: Choices, *, fp8: bool, positions: int = 160,
    dtype: torch.dtype = torch.bfloat16,
) -> GpuModel:  # fmt: skip
    """A model on the GPU in `dtype`, or in bf16 with fp8 products; `weights` stay as they are."""
    held = common.copy_of(weights, dtype)
    quantised = quantise(config, held) if fp8 else []
    return GpuModel(config, held, choices, max_tokens=MOST, max_positions=positions, quantised=quantised)


def compiled(config: ModelConfig, choices: Choices) -> None:
    """All kernels at once; one after another takes half a minute."""
    start_compiling(config, choices, torch.bfloat16, fp8=True)()
    torch.cuda.synchronize()
    say("kernels compiled")


def table() -> None:
    """Device time of one part of all tokens, from graphs, at each n; then where it goes at n=1000."""
    choices = common.chosen("bfloat16")
    rate = bench.rate()
    say(f"8192^3: bf16 {rate:.0f} TFLOP/s; this is the floor's rate")
    square, out = in_8_bits(8192, 8192), torch.empty(8192, 8192, dtype=torch.bfloat16, device="cuda")
    for name, scales in (("row-wise", per_row(8192, 8192)), ("tensor-wise", per_tensor())):
        reached = attempt(name, tflops, 2 * 8192**3, partial(scaled, square, square, scales, out))
        say(f"8192^3: fp8 {name} {reached or float('nan'):.0f} TFLOP/s")
    attempt("compiling", lambda: compiled(SMALL, choices))
    weights = common.random_weights(SMALL, torch.bfloat16)
    apart = dataclasses.replace(choices, gate_fp8=None)
    wanted = {"bf16": (choices, False), "fp8": (choices, True), "fp8, gate apart": (apart, True)}
    models = {}
    for name, (chosen, fp8) in wanted.items():
        made = attempt(name, partial(packed, SMALL, weights, chosen, fp8=fp8))
        if made is not None:
            models[name] = made
    rng = np.random.default_rng(11)
    for n in (1000, *COUNTS[:-1]):
        prompts = common.request(rng, n, "compact")
        tokens = sum(len(part.ids) for part in plan([prompts], MOST))
        floor = common.full_flops(SMALL, tokens) / rate / 1e9
        found = {name: attempt(f"{name} n={n}", device_ms, model, prompts, tokens) for name, model in models.items()}
        texts = [f"{name} {ms:.2f} ms ({ms / floor:.2f} floors)" for name, ms in found.items() if ms]
        say(f"n={n:4} tokens {tokens:5} floor {floor:5.2f} ms: {', '.join(texts)}")
        if n == 1000:
            for name, model in models.items():
                attempt(f"profile of {name}", profile, name, model, prompts)


def device_ms(model: GpuModel, prompts: Prompts, tokens: int) -> float:
    """Median of seven calls replayed from a graph."""
    model.capture(tokens)
    times = [bench.device_ms(model, prompts, MOST) for _ in range(9)]
    return float(np.median(times[2:]))


def profile(name: str, model: GpuModel, prompts: Prompts) -> None:
    (part,) = plan([prompts], MOST)
    answers = torch.empty(len(prompts), pin_memory=True)
    model.submit(part, answers)
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as recorded:
        model.submit(part, answers)
        torch.cuda.synchronize()
    rows = sorted(recorded.key_averages(), key=lambda row: -row.device_time_total)
    say(f"{name}, n={len(prompts)}: kernels {sum(row.device_time_total for row in rows) / 1000:.2f} ms")
    for row in rows[:12]:
        say(f"  {row.device_time_total / 1000:7.3f} ms {row.count:4} x {row.key[:100]}")


def drift() -> None:
    """Log-odds of 1,000 prompts in two requests, against float32 and against each other."""
    torch.backends.cuda.matmul.allow_tf32 = False
    weights = common.random_weights(SMALL, torch.float32)
    rng = np.random.default_rng(7)
    batch = [common.request(rng, 500, form) for form in ("compact", "standard")]
    say("random weights")
    compare(SMALL, weights, batch)


def tiny(folder: str) -> None:
    """The same for the small trained model: its golden set and the corpus of the agreement tests."""
    torch.backends.cuda.matmul.allow_tf32 = False
    told = json.loads((Path(folder) / "prompts.json").read_text(encoding="utf-8"))
    config = read_config(Path(folder))
    weights = load_weights(
        Path(folder), config, yes_id=told["yes"], no_id=told["no"], device="cuda", dtype=torch.float32
    )
    for name, prompts in told["prompts"].items():
        say(f"trained model, {name}")
        found = compare(config, weights, [Prompts.from_lists(prompts)])
        pairs = told["ordered"].get(name, [])
        for kind, scores in found.items() if pairs else ():
            kept = min(scores[better] - scores[worse] - margin for better, worse, margin in pairs)
            say(f"  {kind}: least margin over those of {len(pairs)} pairs {kept:.3f} (below 0: the check fails)")


def compare(config: ModelConfig, weights: ModelWeights, batch: Sequence[Prompts]) -> dict[str, np.ndarray]:
    """Prints every variant's difference from float32 and from ours in bf16; returns log-odds by variant."""
    choices = common.chosen("bfloat16", config.group)
    apart = dataclasses.replace(choices, gate_fp8=None)

    def emulated(kind: type[Fp8Reference], dtype: torch.dtype) -> np.ndarray:
        held = common.copy_of(weights, dtype)
        quantised = quantise(config, held)
        return plain(kind(config, quantised, held), batch)

    variants: dict[str, Callable[[], np.ndarray]] = {
        "float32": lambda: plain(ReferenceModel(config, common.copy_of(weights, torch.float32)), batch),
        "bf16": lambda: run(packed(config, weights, choices, fp8=False), batch, MOST),
        "fp8": lambda: run(packed(config, weights, choices, fp8=True), batch, MOST),
        "fp8, each alone": lambda: alone(packed(config, weights, choices, fp8=True), batch),
        "fp8, gate apart": lambda: run(packed(config, weights, apart, fp8=True), batch, MOST),
        "plain bf16": lambda: plain(ReferenceModel(config, common.copy_of(weights, torch.bfloat16)), batch),
        "plain fp8 in bf16": lambda: emulated(Fp8Reference, torch.bfloat16),
        "plain fp8 in float32": lambda: emulated(Fp8Reference, torch.float32),
        "plain fp8, scales by row, in float32": lambda: emulated(RowScaled, torch.float32),
    }
    attempt("compiling", lambda: compiled(config, choices))
    found = {name: scores for name, step in variants.items() if (scores := attempt(name, step)) is not None}
    torch.cuda.empty_cache()
    exact = found.get("float32")
    if exact is not None:
        say(f"  {len(exact)} prompts, float32 log-odds {exact.mean():.3f} +- {exact.std():.3f}")
    for name, scores in found.items():
        texts = [f"against {base} {difference(scores, found[base])}" for base in ("float32", "bf16") if base in found]
        say(f"  {name:>36}: {'; '.join(texts)}")
    for other in ("plain fp8 in bf16", "fp8, each alone"):
        if "fp8" in found and other in found:
            say(f"  fp8 against {other}: {difference(found['fp8'], found[other])}")
    return found


def alone(model: GpuModel, batch: Sequence[Prompts]) -> np.ndarray:
    """Every prompt in a part of its own."""
    return np.concatenate(
        [run(model, [Prompts.from_lists([ids])], MOST) for request in batch for ids in request.lists()]
    )


def difference(some: np.ndarray, others: np.ndarray) -> str:
    gap = np.abs(some - others)
    text = f"rms {np.sqrt((gap**2).mean()):.4f} max {gap.max():.4f}"
    return text if gap.max() == 0 else f"{text} correlation {np.corrcoef(some, others)[0, 1]:.4f}"


if __name__ == "__main__":
    part, folder = sys.argv[1:3]
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    say(torch.cuda.get_device_name(), "torch", torch.__version__, "CUDA", torch.version.cuda)
    steps: dict[str, Callable[[], None]] = {
        "table": table, "drift": drift, "tiny": partial(tiny, folder), "products": products, "gate": gate,
    }  # fmt: skip
    attempt(part, steps[part])
