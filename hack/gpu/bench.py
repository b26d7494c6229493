"""Times the packed engine in process at the 0.6B shape with random weights; see docs/results/packed-h100.md.

Usage: python3 -m hack.gpu.bench [what ...], of load, parts, table, profile. Every call gets fresh prompts.
"""

import dataclasses
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from hack.gpu import checkpoint, common
from hack.gpu.common import SMALL, say
from reranker_service.engines.packed import choices as choices_module
from reranker_service.engines.packed.engine import PackedEngine
from reranker_service.engines.packed.gpu import GpuModel, graph_sizes
from reranker_service.engines.packed.plan import iterate, plan
from reranker_service.scoring.prompt_arrays import Prompts

COUNTS = (100, 200, 400, 600, 800, 1000)
REPEAT = 15


def engine(**changes: Any) -> PackedEngine:
    """The engine loaded as the service loads it; `changes` replace choices for this GPU."""
    chosen = common.chosen("bfloat16")
    original = choices_module.choose
    choices_module.choose = lambda *_: dataclasses.replace(chosen, **changes)
    try:
        settings: Any = SimpleNamespace(
            max_model_len=160,
            dtype="auto",
            quantization=None,
            enforce_eager=None,
            gpu_memory_utilization=0.2,
            tensor_parallel_size=1,
            engine_args={},
        )
        loaded = PackedEngine(settings)
        files: Any = SimpleNamespace(path=checkpoint.save(), tokenizer=SimpleNamespace(yes_id=9693, no_id=2152))
        loaded.load(files, lambda: None)
    finally:
        choices_module.choose = original
    return loaded


def load() -> None:
    checkpoint.save()
    begin = time.perf_counter()
    loaded = engine()
    say(f"load from disk (page cache warm), compile, capture: {time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    loaded = engine()
    say(f"again, kernels from Triton's cache: {time.perf_counter() - begin:.1f} s; "
        f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB peak")  # fmt: skip
    loaded.close()


def rate() -> float:
    """TFLOP/s of a large bf16 product, in this run."""
    square = torch.randn(8192, 8192, device="cuda").bfloat16()
    return 2 * 8192**3 / common.median_ms(lambda: square @ square, 15, 5) / 1e9


def model(**changes: Any) -> GpuModel:
    chosen = dataclasses.replace(common.chosen("bfloat16"), **changes)
    weights = common.random_weights(SMALL, torch.bfloat16)
    made = GpuModel(SMALL, weights, chosen, max_tokens=32768, max_positions=160)
    for tokens in graph_sizes(chosen.graph_tokens):
        made.capture(tokens)
    return made


def device_ms(made: GpuModel, prompts: Prompts, budget: int) -> float:
    """The device's time for a call whose launches all wait in the queue before it begins."""
    parts = plan([prompts], budget)
    answers = torch.empty(len(prompts), pin_memory=True)
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda._sleep(60_000_000)  # noqa: SLF001 - the only way to let launches queue up
    begin.record()
    for part in parts:
        made.submit(part, answers[: len(part.last)])
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end))


def parts() -> None:
    """Which size of parts is best, as a captured graph or not: device time and wall time at each n."""
    rng = np.random.default_rng(5)
    answers = torch.empty(1000, pin_memory=True)
    for graph_tokens in (0, 8448):
        made = model(graph_tokens=graph_tokens)
        for budget in (2816, 4224, 5632, 8448, 14208, 32768):
            if graph_tokens and budget > graph_tokens and budget != 32768:
                continue
            text = []
            for n in (100, 200, 400, 1000):
                device, wall = [], []
                for _ in range(7):
                    prompts = common.request(rng, n, "compact")
                    device.append(device_ms(made, prompts, budget))
                    begin = time.perf_counter()
                    for part in iterate([prompts], budget):
                        made.submit(part, answers[: len(part.last)])
                    torch.cuda.synchronize()
                    wall.append((time.perf_counter() - begin) * 1000)
                text.append(f"n={n}: {np.median(device[2:]):.2f} / {np.median(wall[2:]):.2f}")
            say(f"graphs up to {graph_tokens}, parts of {budget}: device / wall ms  " + ", ".join(text))
        del made
        torch.cuda.empty_cache()


def table() -> None:
    """The table: wall time of a whole call, device time, planning, floor."""
    ceiling = rate()
    loaded = engine()
    made = model()
    budget = common.chosen("bfloat16").part_tokens
    say(f"8192^3 bf16 product: {ceiling:.0f} TFLOP/s")
    for form in ("compact", "standard"):
        rng = np.random.default_rng(99)
        for n in COUNTS:
            wall, device, planning, tokens = [], [], [], []
            for _ in range(REPEAT + 3):
                prompts = common.request(rng, n, form)
                begin = time.perf_counter()
                loaded.submit([prompts])()
                wall.append((time.perf_counter() - begin) * 1000)
            for _ in range(7):
                prompts = common.request(rng, n, form)
                begin = time.perf_counter()
                planned = plan([prompts], budget)
                planning.append((time.perf_counter() - begin) * 1000)
                tokens.append(sum(len(part.ids) for part in planned))
                device.append(device_ms(made, prompts, budget))
            timed = np.asarray(wall[3:])
            count = int(np.median(tokens))
            floor = common.full_flops(SMALL, count) / ceiling / 1e9
            middle, fastest, slowest = np.median(timed), timed.min(), timed.max()
            spent = np.median(device)
            say(
                f"{form:>8} n={n:4} tokens {count:6}: submit to answers median {middle:6.2f} ms (min {fastest:.2f}, "
                f"max {slowest:.2f}); device {spent:6.2f}; plan {np.median(planning):5.2f}; "
                f"floor {floor:5.2f}: {middle / floor:.2f}x, device {spent / floor:.2f}x"
            )


def profile() -> None:
    """Where the device's time goes, kernel by kernel."""
    made = model()
    budget = common.chosen("bfloat16").part_tokens
    answers = torch.empty(1000, pin_memory=True)
    rng = np.random.default_rng(3)
    for n in (1000, 100):
        prompts = common.request(rng, n, "compact")
        planned = plan([prompts], budget)
        for _ in range(3):
            for part in planned:
                made.submit(part, answers[: len(part.last)])
        torch.cuda.synchronize()
        activities = [torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as recorded:
            for part in planned:
                made.submit(part, answers[: len(part.last)])
            torch.cuda.synchronize()
        rows = sorted(recorded.key_averages(), key=lambda row: -row.device_time_total)
        total = sum(row.device_time_total for row in rows)
        say(f"n={n}: {sum(len(p.ids) for p in planned)} tokens, kernels {total / 1000:.2f} ms")
        for row in rows[:14]:
            say(f"  {row.device_time_total / 1000:7.3f} ms {row.count:4} x {row.key[:90]}")


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    say(torch.cuda.get_device_name(), torch.__version__)
    for name in sys.argv[1:] or ("load", "parts", "table", "profile"):
        {"load": load, "parts": parts, "table": table, "profile": profile}[name]()
