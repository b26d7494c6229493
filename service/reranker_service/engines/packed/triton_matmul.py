# mypy: ignore-errors
# ruff: noqa: N803, PLR0917
"""The feed-forward part's first product with its gate applied before anything is written (Hopper and later).

The library's product writes both halves, three times the bytes of what is needed of them, and another kernel reads
them back. Weights lie row by row in turns, gate and other half, so that a thread holds both of a pair in registers.

The functions are the language of Triton, which mypy can't read.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["rows"])
def gate_up_kernel(
    states,
    weights,
    output,
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
    """silu(gate) * up of all tiles this program takes; tensors come as descriptors for the bulk copy engine.

    states (rows, inner), weights (width, inner) with gate and up in turns, output (rows, width / 2); `scales` (width,)
    or None multiply what comes of the weights' rows. BAND tiles of rows are walked together, so that neighbours find
    their weights in the cache.
    """
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
        if scales is not None:
            column = at_column + tl.arange(0, COLUMNS)
            sums *= tl.load(scales + column, mask=column < width, other=0.0)[None, :]
        gate, up = tl.split(tl.reshape(sums, (ROWS, COLUMNS // 2, 2)))
        product = gate * tl.sigmoid(gate) * up
        output.store([at_row, at_column // 2], product.to(output.dtype))
