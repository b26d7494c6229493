"""The attention kernel compiles for each GPU family with that family's choices, and fits its shared memory.

No GPU is needed for that, so it also covers cards that nobody has run it on.
"""

import pytest
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from reranker_service.engines.packed.choices import choose
from reranker_service.engines.packed.triton_attention import attention_kernel

# Most bytes of shared memory that one block may have, by compute capability.
SHARED = {75: 64 * 1024, 80: 163 * 1024, 90: 227 * 1024}
TABLES = {"cos": "*fp32", "sin": "*fp32", "positions": "*i32", "last": "*i32", "tiles": "*i32", "count": "*i32"}
NUMBERS = {"query_stride": "i32", "key_stride": "i32", "output_stride": "i32", "eps": "fp32", "scale": "fp32"}


@pytest.mark.parametrize(
    ("capability", "dtype", "short"),
    [(75, "float16", "fp16"), (80, "bfloat16", "bf16"), (90, "bfloat16", "bf16")],
)
@pytest.mark.parametrize("last", [False, True])
def test_attention_compiles_and_fits(capability: int, dtype: str, short: str, last: bool) -> None:
    choices = choose(divmod(capability, 10), dtype, group=2)
    choice = choices.last_attention if last else choices.attention
    constants = {
        "LAST": last,
        "KEYS_READY": choices.keys_ready,
        "GROUP": 2,
        "GROUP_PADDED": 2,
        "HALF": 64,
        "TILE": choice.tile,
        "BLOCK": choice.block,
        "PRECISION": "ieee",
    }
    names = attention_kernel.arg_names
    kinds = dict.fromkeys(names, f"*{short}") | TABLES | NUMBERS | dict.fromkeys(constants, "constexpr")
    source = ASTSource(
        fn=attention_kernel,
        signature={name: kinds[name] for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    options = {"num_warps": choice.warps, "num_stages": choice.stages}
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert compiled.asm["cubin"]
    assert 0 < compiled.metadata.shared <= SHARED[capability]


@pytest.mark.parametrize("group", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("capability", [(7, 5), (8, 9), (9, 0)])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_tiles_are_what_the_matrix_units_take(capability: tuple[int, int], dtype: str, group: int) -> None:
    choices = choose(capability, dtype, group)
    padded = triton.next_power_of_2(group)
    assert choices.attention.tile * padded in (32, 64)
    assert choices.last_attention.tile * padded == 16
    assert min(choices.attention.block, choices.last_attention.block) >= 16
