# ruff: noqa: N803, PLR0917
"""Whether a row's product depends on how many rows come with it, and what it costs that it does not.

The library has many kernels for one product and takes one by the number of rows. Those that cut the inner dimension
into pieces add in another order, and the last bit differs. Usage: python3 -m hack.gpu.products
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from hack.gpu.common import median_ms, say

# Outputs and inputs of the products at the 0.6B shape, and whether they add to what is there.
PRODUCTS = {
    "qkv": (4096, 1024, False),
    "pairs": (2048, 1024, False),
    "output": (1024, 2048, True),
    "down": (1024, 3072, True),
}
ROWS = [
    1,
    2,
    3,
    4,
    8,
    12,
    16,
    24,
    32,
    48,
    64,
    96,
    *range(128, 4097, 128),
    *range(4352, 8193, 256),
    9216,
    12288,
    16384,
    20480,
    24576,
]
TIMED = (16, 128, 512, 1024, 2944, 5760, 11264, 28672)
TILES = (
    (128, 128, 64, 4, 4),
    (128, 128, 64, 8, 4),
    (128, 64, 64, 4, 5),
    (64, 128, 64, 4, 5),
    (64, 256, 64, 8, 4),
    (64, 32, 128, 4, 5),
)
MOST = 28672
CHECKED = 4


@triton.jit(do_not_specialize=["rows"])
def product_kernel(
    states, weights, output, rows, width, inner,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr, BAND: tl.constexpr, PROGRAMS: tl.constexpr,
    ADD: tl.constexpr,
):  # fmt: skip
    down = tl.cdiv(rows, ROWS)
    across = tl.cdiv(width, COLUMNS)
    for tile in tl.range(tl.program_id(0), down * across, PROGRAMS, flatten=True):
        band = tile // (BAND * across)
        height = tl.minimum(down - band * BAND, BAND)
        at_row = (band * BAND + tile % (BAND * across) % height) * ROWS
        at_column = (tile % (BAND * across) // height) * COLUMNS
        sums = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
        for step in range(0, inner, INNER):
            a = states.load([at_row, step])
            b = weights.load([at_column, step])
            sums = tl.dot(a, b.T, sums)
        if ADD:
            sums += output.load([at_row, at_column]).to(tl.float32)
        output.store([at_row, at_column], sums.to(output.dtype))


Product = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None]


def library(add: bool) -> Product:
    def compute(states: torch.Tensor, weights: torch.Tensor, output: torch.Tensor) -> None:
        if add:
            output.addmm_(states, weights.t())
        else:
            torch.mm(states, weights.t(), out=output)

    return compute


def ours(add: bool, tile: tuple[int, int, int, int, int]) -> Product:
    rows, columns, inner, warps, stages = tile
    programs = torch.cuda.get_device_properties(0).multi_processor_count

    def compute(states: torch.Tensor, weights: torch.Tensor, output: torch.Tensor) -> None:
        product_kernel[(programs,)](
            TensorDescriptor.from_tensor(states, [rows, inner]),
            TensorDescriptor.from_tensor(weights, [columns, inner]),
            TensorDescriptor.from_tensor(output, [rows, columns]), states.shape[0], weights.shape[0], weights.shape[1],
            ROWS=rows, COLUMNS=columns, INNER=inner, BAND=16, PROGRAMS=programs, ADD=add, num_warps=warps,
            num_stages=stages,
        )  # fmt: skip

    return compute


@contextmanager
def splitting(allowed: bool) -> Iterator[None]:
    matmul = torch.backends.cuda.matmul
    torch.backends.cuda.preferred_blas_library("cublas" if allowed else "cublaslt")
    matmul.allow_bf16_reduced_precision_reduction = (allowed, allowed)
    yield
    matmul.allow_bf16_reduced_precision_reduction = (True, True)


class Case:
    def __init__(self, name: str) -> None:
        self.width, self.inner, self.add = PRODUCTS[name]
        generator = torch.Generator("cuda").manual_seed(1)
        draw = lambda *shape: torch.randn(*shape, generator=generator, device="cuda").bfloat16()  # noqa: E731
        self.states, self.residual = draw(MOST, self.inner), draw(MOST, self.width)
        self.weights = draw(self.width, self.inner) * self.inner**-0.5

    def run(self, product: Product, rows: int) -> torch.Tensor:
        output = self.residual[:rows].clone()
        product(self.states[:rows], self.weights, output)
        return output[:CHECKED]

    def time(self, product: Product, rows: int) -> float:
        output, states = self.residual[:rows].clone(), self.states[:rows]
        graph = torch.cuda.CUDAGraph()
        product(states, self.weights, output)
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            for _ in range(20):
                product(states, self.weights, output)
        return median_ms(graph.replay, repeat=7) / 20 * 1000


def report(case: Case, name: str, product: Product, truth: torch.Tensor) -> None:
    wrong = [rows for rows in ROWS if not torch.equal(case.run(product, rows), truth[: min(rows, CHECKED)])]
    times = {rows: round(case.time(product, rows), 1) for rows in TIMED}
    say(f"{name}: other bits at {wrong if len(wrong) < len(ROWS) // 2 else 'most'} rows; us by rows {times}")


def main() -> None:
    for name in PRODUCTS:
        case = Case(name)
        truth = case.run(library(case.add), MOST)
        for allowed in (True, False):
            with splitting(allowed):
                report(
                    case,
                    f"{name}, library, {'any kernel' if allowed else 'none that splits'}",
                    library(case.add),
                    truth,
                )
        for tile in TILES:
            report(case, f"{name}, ours {tile}", ours(case.add, tile), truth)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
