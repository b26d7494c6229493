"""The parts of `hack.gpu.fp8`: `python3 -m hack.gpu.fp8_parts PART FOLDER`. Every step's error ends that step only."""

import dataclasses
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hack.gpu import bench, common
from hack.gpu.adding_product import adding_kernel
from hack.gpu.common import SMALL, say
from reranker_service.engines.packed.choices import Choices, ProductChoice
from reranker_service.engines.packed.compiling import start_compiling
from reranker_service.engines.packed.config import ModelConfig, read_config
from reranker_service.engines.packed.fp8 import FP8, LARGEST, Matrix, quantise
from reranker_service.engines.packed.fp8_reference import Fp8Reference
from reranker_service.engines.packed.gpu import GpuModel
from reranker_service.engines.packed.kernels import GateProduct, Kernels
from reranker_service.engines.packed.plan import plan
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import ModelWeights, load_weights
from reranker_service.scoring.prompt_arrays import Prompts

COUNTS = (100, 200, 400, 600, 800, 1000)
# Rows of the products at n=1000 and n=100, and the shapes of the 0.6B model's: outputs, inputs.
ROWS = (28416, 2944)
SHAPES = {"qkv": (4096, 1024), "output": (1024, 2048), "gate": (6144, 1024), "down": (1024, 3072)}
MOST = 32768


def attempt(what: str, step: Callable[..., Any], *arguments: Any) -> Any:
    """What `step` returns; of an error a line is printed, and None returned."""
    try:
        return step(*arguments)
    except Exception as error:  # noqa: BLE001 - a variant that does not work is a result
        place = traceback.extract_tb(error.__traceback__)[-1]
        say(f"{what} FAILED: {type(error).__name__}: {str(error)[:400]} ({Path(place.filename).name}:{place.lineno})")
        return None


class RowScaled(Fp8Reference):
    """The usual scheme, for comparison: inputs scaled by the largest of each row, found at run time."""

    def _product(self, inputs: Tensor, matrix: Matrix) -> Tensor:
        scale = inputs.abs().amax(-1, keepdim=True).clamp_min(1e-12) / LARGEST
        rounded = (inputs / scale).to(FP8).float()
        return functional.linear(rounded, matrix.values.float()) * matrix.scale * scale


def packed(
    config: ModelConfig, weights: ModelWeights, choices: Choices, *, fp8: bool, positions: int = 160
) -> GpuModel:
    """A model on the GPU in bf16, or with fp8 products; `weights` stay as they are."""
    held = common.copy_of(weights, torch.bfloat16)
    quantised = quantise(config, held) if fp8 else []
    return GpuModel(config, held, choices, max_tokens=MOST, max_positions=positions, quantised=quantised)


def compiled(config: ModelConfig, choices: Choices) -> None:
    """All kernels at once; one after another takes half a minute."""
    start_compiling(config, choices, torch.bfloat16, fp8=True)()
    torch.cuda.synchronize()
    say("kernels compiled")


def tflops(flops: float, step: Callable[[], object]) -> float:
    return flops / common.median_ms(step, 9, 3) / 1e9


def scaled(a: Tensor, b: Tensor, scales: tuple[Tensor, Tensor], out: Tensor, *, fast: bool = True) -> Tensor:
    """The library's product of a (rows, inputs) and b (outputs, inputs) in 8 bits."""
    return torch._scaled_mm(  # noqa: SLF001
        a, b.t(), scale_a=scales[0], scale_b=scales[1], out_dtype=out.dtype, use_fast_accum=fast, out=out
    )


def per_row(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    return torch.ones(rows, 1, device="cuda"), torch.ones(1, columns, device="cuda")


def per_tensor() -> tuple[Tensor, Tensor]:
    return torch.ones((), device="cuda"), torch.ones((), device="cuda")


def in_8_bits(rows: int, columns: int) -> Tensor:
    return (torch.randn(rows, columns, device="cuda") * 16).to(FP8)


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
        "bf16": lambda: run(packed(config, weights, choices, fp8=False), batch),
        "fp8": lambda: run(packed(config, weights, choices, fp8=True), batch),
        "fp8, each alone": lambda: alone(packed(config, weights, choices, fp8=True), batch),
        "fp8, gate apart": lambda: run(packed(config, weights, apart, fp8=True), batch),
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
    return np.concatenate([run(model, [Prompts.from_lists([ids])]) for request in batch for ids in request.lists()])


def difference(some: np.ndarray, others: np.ndarray) -> str:
    gap = np.abs(some - others)
    text = f"rms {np.sqrt((gap**2).mean()):.4f} max {gap.max():.4f}"
    return text if gap.max() == 0 else f"{text} correlation {np.corrcoef(some, others)[0, 1]:.4f}"


def run(model: GpuModel, batch: Sequence[Prompts]) -> np.ndarray:
    scores = np.full(sum(map(len, batch)), np.nan)
    for part in plan(batch, MOST):
        answers = torch.empty(len(part.last), pin_memory=True)
        model.submit(part, answers)
        torch.cuda.synchronize()
        scores[part.prompts] = answers.numpy()
    return scores


def plain(model: ReferenceModel, batch: Sequence[Prompts]) -> np.ndarray:
    scores = np.full(sum(map(len, batch)), np.nan)
    for part in plan(batch, 8192):
        scores[part.prompts] = model.forward(part).float().cpu().numpy()
    return scores


def products() -> None:
    """TFLOP/s of the library at the model's shapes."""
    for rows, (name, (columns, inner)) in ((rows, shape) for rows in ROWS for shape in SHAPES.items()):
        flops = 2.0 * rows * columns * inner
        out = torch.zeros(rows, columns, device="cuda", dtype=torch.bfloat16)
        a, b = torch.randn(rows, inner, device="cuda").bfloat16(), torch.randn(columns, inner, device="cuda").bfloat16()
        a8, b8 = in_8_bits(rows, inner), in_8_bits(columns, inner)
        by_row, by_tensor = per_row(rows, columns), per_tensor()
        blocks = (
            torch.ones(inner // 128, rows, device="cuda").t(),
            torch.ones(inner // 128, columns, device="cuda"),
        )
        variants: dict[str, Callable[[], object]] = {
            "bf16": lambda: torch.mm(a, b.t(), out=out),  # noqa: B023
            "bf16 adding": lambda: out.addmm_(a, b.t(), beta=0.5),  # noqa: B023
            "fp8 row-wise": lambda: scaled(a8, b8, by_row, out),  # noqa: B023
            "tensor-wise": lambda: scaled(a8, b8, by_tensor, out),  # noqa: B023
            "row-wise exact sums": lambda: scaled(a8, b8, by_row, out, fast=False),  # noqa: B023
            "tensor-wise exact sums": lambda: scaled(a8, b8, by_tensor, out, fast=False),  # noqa: B023
            "blocks of 128": lambda: scaled(a8, b8, blocks, out, fast=False),  # noqa: B023
        }
        if name in {"qkv", "gate"}:
            del variants["bf16 adding"]
        found = {kind: attempt(f"{name} {kind}", tflops, flops, step) for kind, step in variants.items()}
        texts = [f"{kind} {reached:.0f}" for kind, reached in found.items() if reached]
        say(f"rows {rows:5} {name:>6} {columns} x {inner}, TFLOP/s: {', '.join(texts)}")


def gate() -> None:
    """The gate product in 8 bits: ours in several tiles, and the library's with a second kernel."""
    kernels = Kernels(SMALL, positions=160, device="cuda", keys_ready=True)
    programs = torch.cuda.get_device_properties(0).multi_processor_count
    tiles = [(128, 256, 128, 16, 8, 4), (128, 256, 128, 8, 8, 3), (128, 256, 64, 16, 8, 4), (256, 128, 128, 16, 8, 4),
             (256, 128, 128, 8, 8, 3), (128, 128, 128, 16, 4, 4), (128, 128, 128, 16, 8, 5)]  # fmt: skip
    choices = [ProductChoice(*tile) for tile in tiles]
    weights, scales = in_8_bits(6144, 1024), torch.full((6144,), 2.0**-15, device="cuda")

    def ours(choice: ProductChoice, states: Tensor, inner: Tensor) -> Callable[[], None]:
        product = GateProduct(choice, programs)
        described = product.describe_weights(weights)
        return lambda: product(states, described, inner, scales)

    def first(choice: ProductChoice) -> None:
        ours(choice, in_8_bits(256, 1024), torch.empty(256, 3072, dtype=FP8, device="cuda"))()

    with ThreadPoolExecutor(len(choices)) as pool:
        list(pool.map(lambda choice: attempt(str(choice), first, choice), choices))
    torch.cuda.synchronize()
    say("gate products compiled")
    for rows in ROWS:
        flops = 2.0 * rows * 6144 * 1024
        states, inner = in_8_bits(rows, 1024), torch.empty(rows, 3072, dtype=FP8, device="cuda")
        pairs = torch.empty(rows, 6144, dtype=torch.bfloat16, device="cuda")
        by_row = torch.ones(rows, 1, device="cuda"), scales[None]

        def library() -> None:
            scaled(states, weights, by_row, pairs)  # noqa: B023
            kernels.silu_mul(pairs, inner)  # noqa: B023

        attempt("library", library)
        wanted = inner.float()
        spent = attempt("library", common.median_ms, library, 15)
        say(f"rows {rows}: library and second kernel {(spent or float('nan')) * 1000:.0f} us")
        for choice in choices:
            step = ours(choice, states, inner)
            inner.zero_()
            spent = attempt(str(choice), common.median_ms, step, 15)
            if spent:
                wrong = float((inner.float() - wanted).norm() / wanted.norm())
                say(f"  {spent * 1000:6.0f} us {flops / spent / 1e9:5.0f} TFLOP/s, differs by {wrong:.1e}: {choice}")


def adding() -> None:
    """A product and the norm behind it: either of the two may add to the states."""
    kernels = Kernels(SMALL, positions=160, device="cuda", keys_ready=True)
    programs = torch.cuda.get_device_properties(0).multi_processor_count
    entry = torch.ones(1024, device="cuda")
    tiles = [(128, 128, 128, 16, 8, 4), (128, 128, 128, 8, 8, 4), (128, 128, 128, 16, 4, 4), (128, 128, 64, 16, 8, 6)]
    choices = [ProductChoice(*tile) for tile in tiles]

    def ours(choice: ProductChoice, inputs: Tensor, weights: Tensor, states: Tensor) -> Callable[[], None]:
        describe = GateProduct(choice, programs).describe
        scales = torch.full((1024,), 2.0**-16, device="cuda")
        sizes = {"ROWS": choice.rows, "COLUMNS": choice.columns, "INNER": choice.inner, "BAND": choice.band}
        held = describe(weights, choice.columns, choice.inner)

        def step() -> None:
            adding_kernel[(programs,)](
                describe(inputs, choice.rows, choice.inner), held, describe(states, choice.rows, choice.columns),
                scales, inputs.shape[0], 1024, inputs.shape[1], **sizes, PROGRAMS=programs, num_warps=choice.warps,
                num_stages=choice.stages,
            )  # fmt: skip

        return step

    def first(choice: ProductChoice) -> None:
        ours(choice, in_8_bits(256, 2048), in_8_bits(1024, 2048), torch.zeros(256, 1024, device="cuda").bfloat16())()

    with ThreadPoolExecutor(len(choices)) as pool:
        list(pool.map(lambda choice: attempt(str(choice), first, choice), choices))
    torch.cuda.synchronize()
    for rows, (name, inner) in ((rows, shape) for rows in ROWS for shape in (("output", 2048), ("down", 3072))):
        inputs, weights, normed = in_8_bits(rows, inner), in_8_bits(1024, inner), in_8_bits(rows, 1024)
        states = torch.randn(rows, 1024, device="cuda").bfloat16()
        owed = torch.empty_like(states)
        scales = torch.ones(rows, 1, device="cuda"), torch.full((1, 1024), 2.0**-16, device="cuda")
        product = partial(scaled, inputs, weights, scales, owed)
        add = partial(kernels.norm, states, entry, normed, owed=owed)
        norm = partial(kernels.norm, states, entry, normed)
        spent = [attempt(name, common.median_ms, step, 15) or float("nan") for step in (product, add, norm)]
        say(f"rows {rows} {name}: library {spent[0] * 1000:.0f} us, norm that adds {spent[1] * 1000:.0f} us: "
            f"{(spent[0] + spent[1]) * 1000:.0f} us; plain norm {spent[2] * 1000:.0f} us")  # fmt: skip
        for choice in choices:
            wanted = (states.float() + product().float()).bfloat16()
            step = ours(choice, inputs, weights, got := states.clone())
            attempt(str(choice), step)
            wrong = float((got - wanted).float().norm() / wanted.float().norm())
            took = attempt(str(choice), common.median_ms, step, 15)
            if took:
                say(f"  {took * 1000:5.0f} us, with plain norm {(took + spent[2]) * 1000:5.0f} us, differs by "
                    f"{wrong:.1e}: {choice}")  # fmt: skip


if __name__ == "__main__":
    part, folder = sys.argv[1:3]
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    say(torch.cuda.get_device_name(), "torch", torch.__version__, "CUDA", torch.version.cuda)
    steps: dict[str, Callable[[], None]] = {
        "table": table, "drift": drift, "tiny": partial(tiny, folder), "products": products, "gate": gate,
        "adding": adding,
    }  # fmt: skip
    attempt(part, steps[part])
