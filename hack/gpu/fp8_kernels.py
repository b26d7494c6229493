"""The 8-bit kernels alone, for `hack.gpu.fp8`: the library's products and the gate product."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hack.gpu import common
from hack.gpu.common import SMALL, say
from reranker_service.engines.packed.choices import ProductChoice
from reranker_service.engines.packed.fp8 import FP8
from reranker_service.engines.packed.kernels import GateProduct, Kernels

# Rows of the products at n=1000 and n=100, and the shapes of the 0.6B model's: outputs, inputs.
ROWS = (28416, 2944)
SHAPES = {"qkv": (4096, 1024), "output": (1024, 2048), "gate": (6144, 1024), "down": (1024, 3072)}


def attempt(what: str, step: Callable[..., Any], *arguments: Any) -> Any:
    """What `step` returns; of an error a line is printed, and None returned."""
    try:
        return step(*arguments)
    except Exception as error:  # noqa: BLE001 - a variant that does not work is a result
        place = traceback.extract_tb(error.__traceback__)[-1]
        say(f"{what} FAILED: {type(error).__name__}: {str(error)[:400]} ({Path(place.filename).name}:{place.lineno})")
        return None


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
