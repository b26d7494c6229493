# mypy: ignore-errors
# ruff: noqa: N803, N806, PLR0915, PLR0917
"""One kernel for all of a layer's attention: norm and rotation of queries and keys, prefix, own text, softmax.

Ready-made attention takes rectangles or one key range a sequence; here tens of tokens share a prefix that thousands of
others share too, and moving data costs more than computing. So a program takes a tile of a document's tokens with all
query heads of one key head, and reads the prefix's keys and the document's own ones as one row of keys. Keys stand in
it at their place in the prompt, wherever the prompt lies: blocks, and so sums, are the same for a document alone and
for one among others.

The functions are the language of Triton, which mypy can't read.
"""

import triton
import triton.language as tl


@triton.jit
def _rotated(pointer, stride, index, live, weight, cos, sin, position, eps, HALF: tl.constexpr):
    """Rows of `pointer` (index, 2 * HALF), normed and rotated, as two halves in float32."""
    lane = tl.arange(0, HALF)
    at = pointer + index.to(tl.int64)[:, None] * stride + lane[None, :]
    first = tl.load(at, mask=live[:, None], other=0.0).to(tl.float32)
    second = tl.load(at + HALF, mask=live[:, None], other=0.0).to(tl.float32)
    square = tl.sum(first * first, 1) + tl.sum(second * second, 1)
    scale = tl.rsqrt(square / (2 * HALF) + eps)[:, None]
    first = first * scale * tl.load(weight + lane).to(tl.float32)[None, :]
    second = second * scale * tl.load(weight + HALF + lane).to(tl.float32)[None, :]
    place = position[:, None] * HALF + lane[None, :]
    c = tl.load(cos + place)
    s = tl.load(sin + place)
    return first * c - second * s, second * c + first * s


@triton.jit
def attention_kernel(
    queries,
    keys,
    values,
    output,
    query_norm,
    key_norm,
    cos,
    sin,
    positions,
    last,
    tiles,
    query_stride,
    key_stride,
    output_stride,
    eps,
    scale,
    LAST: tl.constexpr,
    KEYS_READY: tl.constexpr,
    GROUP: tl.constexpr,
    GROUP_PADDED: tl.constexpr,
    HALF: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Attention of tile program_id(0) for key head program_id(1).

    LAST: rows are documents, and `last` names the token each stands for; else rows are tokens.
    KEYS_READY: keys were normed and rotated before. `scale` includes log2(e): the softmax is taken to base 2.
    """
    DIM: tl.constexpr = 2 * HALF
    head = tl.program_id(1)
    tile = tiles + tl.program_id(0) * 6
    row_start = tl.load(tile)
    rows = tl.load(tile + 1)
    if rows == 0:
        return
    prefix_start = tl.load(tile + 2)
    prefix = tl.load(tile + 3)
    key_start = tl.load(tile + 4)
    total = prefix + tl.load(tile + 5) - key_start

    line = tl.arange(0, TILE * GROUP_PADDED)
    row = row_start + line // GROUP_PADDED
    member = line % GROUP_PADDED
    live = (line // GROUP_PADDED < rows) & (member < GROUP)
    token = tl.load(last + row, mask=live, other=0) if LAST else row
    position = tl.load(positions + token, mask=live, other=0)
    own_keys = keys + head * DIM
    base = queries + (head * GROUP + member)[:, None] * DIM
    q1, q2 = _rotated(base, query_stride, row, live, query_norm, cos, sin, position, eps, HALF)
    q1 = (q1 * scale).to(queries.dtype.element_ty)
    q2 = (q2 * scale).to(queries.dtype.element_ty)

    best = tl.full([TILE * GROUP_PADDED], float("-inf"), tl.float32)
    weight = tl.zeros([TILE * GROUP_PADDED], tl.float32)
    mixed = tl.zeros([TILE * GROUP_PADDED, DIM], tl.float32)
    lane = tl.arange(0, HALF)
    wide = tl.arange(0, DIM)
    for start in range(0, total, BLOCK):
        slot = start + tl.arange(0, BLOCK)
        shared = slot < prefix
        there = slot < total
        key = tl.where(shared, prefix_start + slot, key_start + slot - prefix)
        if KEYS_READY:
            at = own_keys + key.to(tl.int64)[:, None] * key_stride + lane[None, :]
            k1 = tl.load(at, mask=there[:, None], other=0.0)
            k2 = tl.load(at + HALF, mask=there[:, None], other=0.0)
        else:
            place = tl.load(positions + key, mask=there, other=0)
            k1, k2 = _rotated(own_keys, key_stride, key, there, key_norm, cos, sin, place, eps, HALF)
            k1 = k1.to(queries.dtype.element_ty)
            k2 = k2.to(queries.dtype.element_ty)
        logits = tl.dot(q1, tl.trans(k1), input_precision=PRECISION)
        logits = tl.dot(q2, tl.trans(k2), logits, input_precision=PRECISION)
        mine = (key[None, :] <= token[:, None]) & there[None, :]
        logits = tl.where(shared[None, :] | mine, logits, float("-inf"))
        higher = tl.maximum(best, tl.max(logits, 1))
        # A row may see nothing of this block, and nothing yet at all.
        anchor = tl.where(higher == float("-inf"), 0.0, higher)
        chance = tl.exp2(logits - anchor[:, None])
        fade = tl.exp2(best - anchor)
        weight = weight * fade + tl.sum(chance, 1)
        at = values + head * DIM + key.to(tl.int64)[:, None] * key_stride + wide[None, :]
        held = tl.load(at, mask=there[:, None], other=0.0)
        mixed = mixed * fade[:, None]
        mixed = tl.dot(chance.to(held.dtype), held, mixed, input_precision=PRECISION)
        best = higher

    mixed = mixed / weight[:, None]
    at = output + row.to(tl.int64)[:, None] * output_stride + (head * GROUP + member)[:, None] * DIM + wide[None, :]
    tl.store(at, mixed.to(output.dtype.element_ty), mask=live[:, None])


@triton.jit(do_not_specialize=["tokens"])
def prepare_keys_kernel(
    keys, key_norm, cos, sin, positions, key_stride, tokens, eps, HALF: tl.constexpr, BLOCK: tl.constexpr
):
    """Norm and rotate the keys of BLOCK tokens and one head where they lie."""
    head = tl.program_id(1)
    token = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = token < tokens
    position = tl.load(positions + token, mask=live, other=0)
    base = keys + head * 2 * HALF
    first, second = _rotated(base, key_stride, token, live, key_norm, cos, sin, position, eps, HALF)
    at = base + token.to(tl.int64)[:, None] * key_stride + tl.arange(0, HALF)[None, :]
    tl.store(at, first.to(keys.dtype.element_ty), mask=live[:, None])
    tl.store(at + HALF, second.to(keys.dtype.element_ty), mask=live[:, None])
