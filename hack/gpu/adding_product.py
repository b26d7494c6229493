# mypy: ignore-errors
# ruff: noqa: N803, PLR0917
"""A product in 8 bits that adds to what is there, to be timed against the library's and a norm that adds.

The functions are the language of Triton, which mypy can't read.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["rows"])
def adding_kernel(
    inputs,
    weights,
    states,
    scales,
    rows,
    width,
    inner,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
    BAND: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """Add inputs (rows, inner) times weights (width, inner), columns scaled, to states (rows, width); descriptors."""
    down = tl.cdiv(rows, ROWS)
    across = tl.cdiv(width, COLUMNS)
    for tile in tl.range(tl.program_id(0), down * across, PROGRAMS, flatten=True):
        band = tile // (BAND * across)
        height = tl.minimum(down - band * BAND, BAND)
        at_row = (band * BAND + tile % (BAND * across) % height) * ROWS
        at_column = (tile % (BAND * across) // height) * COLUMNS
        sums = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
        for step in range(0, inner, INNER):
            a = inputs.load([at_row, step])
            b = weights.load([at_column, step])
            sums = tl.dot(a, b.T, sums)
        column = at_column + tl.arange(0, COLUMNS)
        sums *= tl.load(scales + column, mask=column < width, other=0.0)[None, :]
        sums += states.load([at_row, at_column]).to(tl.float32)
        states.store([at_row, at_column], sums.to(states.dtype))
