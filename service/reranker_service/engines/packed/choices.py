"""What a GPU family runs best with, fixed by measurement, so that nothing tunes itself when a pod starts.

`docs/results/packed-h100.md` holds the figures for Hopper. The other families have values that compile and fit their
shared memory; they were not timed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AttentionChoice:
    """A tile of up to `tile` tokens goes through keys by `block`. In the last layer it has a single token."""

    tile: int
    block: int
    warps: int
    stages: int


@dataclass(frozen=True, slots=True)
class ProductChoice:
    """Tiles of the fused gate product: rows x columns by inner steps, `band` row tiles together."""

    rows: int
    columns: int
    inner: int
    band: int
    warps: int
    stages: int


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that is chosen for a device.

    keys_ready: norm and rotate keys in a kernel of their own. gate: None takes the library's product and a second
    kernel; gate_fp8 is the same in 8 bits. part_tokens: most tokens of one forward pass. graph_tokens: up to so many a
    captured graph is replayed.
    """

    attention: AttentionChoice
    last_attention: AttentionChoice
    keys_ready: bool
    gate: ProductChoice | None
    gate_fp8: ProductChoice | None
    part_tokens: int
    graph_tokens: int


def choose(capability: tuple[int, int], dtype: str, group: int) -> Choices:
    """The choices for a compute capability, a dtype (`float16`, `bfloat16`, `float32`) and a model's shape.

    `group` is how many query heads share a key head: rows of a tile are tokens times heads, and it is their number
    that registers and shared memory bound, so that more heads mean fewer tokens.
    """
    padded = 1 << (group - 1).bit_length()
    many, few = max(1, 64 // padded), max(1, 32 // padded)
    # Tensor cores multiply sixteen rows at least.
    least = max(1, 16 // padded)
    if dtype == "float32":
        small = AttentionChoice(tile=few, block=16, warps=4, stages=1)
        last = AttentionChoice(tile=least, block=16, warps=4, stages=1)
        return Choices(small, last, keys_ready=True, gate=None, gate_fp8=None, part_tokens=8192, graph_tokens=0)
    if capability[0] == 9:
        return Choices(
            attention=AttentionChoice(tile=many, block=32, warps=4, stages=2),
            last_attention=AttentionChoice(tile=least, block=64, warps=4, stages=1),
            keys_ready=True,
            gate=ProductChoice(rows=128, columns=256, inner=64, band=16, warps=8, stages=4),
            gate_fp8=ProductChoice(rows=128, columns=256, inner=128, band=16, warps=8, stages=4),
            part_tokens=32768,
            graph_tokens=32768,
        )
    # Turing keeps less in registers: with blocks of 32 its compiler spills.
    block = 16 if capability < (8, 0) else 32
    attention = AttentionChoice(tile=few, block=block, warps=4, stages=1)
    last = AttentionChoice(tile=least, block=block, warps=4, stages=1)
    return Choices(attention, last, keys_ready=True, gate=None, gate_fp8=None, part_tokens=16384, graph_tokens=4096)
