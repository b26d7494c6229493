"""Whether a row's product depends on how many rows come with it, and what it costs that it does not.

The library has many kernels for one product and takes one by the number of rows. Those that cut the inner dimension
into pieces add in another order, and the last bit differs. Usage: python3 -m hack.gpu.products
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hack.gpu.common import median_ms, say

# Outputs and inputs of the products at the 0.6B shape, and whether they add to what is there.
PRODUCTS = {
    "qkv": (4096, 1024, False),
    "pairs": (2048, 1024, False),
    "output": (1024, 2048, True),
    "down": (1024, 3072, True),
}
FEW = (1, 2, 3, 4, 8, 12, 16, 24, 32, 48, 64, 96)
ROWS = (*FEW, *range(128, 4097, 128), *range(4352, 8193, 256), 9216, 12288, 16384, 20480, 24576)
TIMED = (16, 128, 512, 1024, 2944, 5760, 11264, 28672)
MOST = 28672
CHECKED = 4


@contextmanager
def splitting(allowed: bool) -> Iterator[None]:
    """Whether the library may take kernels that cut the inner dimension; only one of its parts can be told not to."""
    matmul = torch.backends.cuda.matmul
    torch.backends.cuda.preferred_blas_library("cublas" if allowed else "cublaslt")
    matmul.allow_bf16_reduced_precision_reduction = (allowed, allowed)
    yield
    matmul.allow_bf16_reduced_precision_reduction = (True, True)


class Case:
    """One product with random inputs."""

    def __init__(self, name: str) -> None:
        self._width, self._inner, self._add = PRODUCTS[name]
        self._states, self._residual = self._draw(MOST, self._inner), self._draw(MOST, self._width)
        self._weights = self._draw(self._width, self._inner) * self._inner**-0.5

    @staticmethod
    def _draw(*shape: int) -> torch.Tensor:
        generator = torch.Generator("cuda").manual_seed(shape[0])
        return torch.randn(*shape, generator=generator, device="cuda").bfloat16()

    def _compute(self, rows: int, output: torch.Tensor) -> None:
        states = self._states[:rows]
        if self._add:
            output.addmm_(states, self._weights.t())
        else:
            torch.mm(states, self._weights.t(), out=output)

    def first(self, rows: int) -> torch.Tensor:
        """The first results of a product of so many rows."""
        output = self._residual[:rows].clone()
        self._compute(rows, output)
        return output[:CHECKED]

    def microseconds(self, rows: int) -> float:
        """What a product takes, twenty in a graph."""
        output = self._residual[:rows].clone()
        self._compute(rows, output)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(20):
                self._compute(rows, output)
        return round(median_ms(graph.replay, repeat=7) / 20 * 1000, 1)


def main() -> None:
    """Print, for each product, numbers of rows with which the first rows have other bits, and times."""
    for name in PRODUCTS:
        case = Case(name)
        truth = case.first(MOST)
        for allowed in (True, False):
            with splitting(allowed):
                wrong = [rows for rows in ROWS if not torch.equal(case.first(rows), truth[: min(rows, CHECKED)])]
                times = {rows: case.microseconds(rows) for rows in TIMED}
            kernels = "any kernel" if allowed else "none that splits"
            say(f"{name}, {kernels}: other bits with {wrong or 'no number of'} rows; us by rows {times}")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
