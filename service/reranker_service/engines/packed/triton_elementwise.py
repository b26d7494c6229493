# mypy: ignore-errors
# ruff: noqa: N803, PLR0917
"""The small steps between the matrix products, each in one pass over memory, which is all that they cost.

Sizes that change from call to call are not specialised on: Triton would compile another kernel in the middle of a
request the first time one is, or is not, a multiple of 16.

The functions are the language of Triton, which mypy can't read.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["rows"])
def rms_norm_kernel(
    states, owed, weight, output, rows, eps, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr
):
    """Root-mean-square norm of ROWS rows of WIDTH, computed in float32. `owed`, if any, is added to the states."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    lane = tl.arange(0, PADDED)
    mask = (row < rows)[:, None] & (lane < WIDTH)[None, :]
    at = row.to(tl.int64)[:, None] * WIDTH + lane[None, :]
    x = tl.load(states + at, mask=mask, other=0.0).to(tl.float32)
    if owed is not None:
        x += tl.load(owed + at, mask=mask, other=0.0).to(tl.float32)
        tl.store(states + at, x.to(states.dtype.element_ty), mask=mask)
    scale = tl.rsqrt(tl.sum(x * x, 1) / WIDTH + eps)
    w = tl.load(weight + lane, mask=lane < WIDTH, other=0.0).to(tl.float32)
    tl.store(output + at, (x * scale[:, None] * w[None, :]).to(output.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["count"])
def silu_mul_kernel(pairs, output, count, BLOCK: tl.constexpr):
    """silu(gate) * up of BLOCK outputs; gate and up lie side by side in `pairs`."""
    start = tl.program_id(0).to(tl.int64) * BLOCK
    two = tl.arange(0, 2 * BLOCK)
    loaded = tl.load(pairs + 2 * start + two, mask=2 * start + two < 2 * count, other=0.0)
    gate, up = tl.split(tl.reshape(loaded, (BLOCK, 2)))
    gate = gate.to(tl.float32)
    product = gate * tl.sigmoid(gate) * up.to(tl.float32)
    at = start + tl.arange(0, BLOCK)
    tl.store(output + at, product.to(output.dtype.element_ty), mask=at < count)


@triton.jit
def score_kernel(states, weight, output, eps, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """The log-odds of one row: its norm times `weight` (final norm and yes minus no, in float32)."""
    row = tl.program_id(0)
    lane = tl.arange(0, PADDED)
    mask = lane < WIDTH
    x = tl.load(states + row.to(tl.int64) * WIDTH + lane, mask=mask, other=0.0).to(tl.float32)
    w = tl.load(weight + lane, mask=mask, other=0.0)
    scale = tl.rsqrt(tl.sum(x * x, 0) / WIDTH + eps)
    tl.store(output + row, tl.sum(x * w, 0) * scale)
