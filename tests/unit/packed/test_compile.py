"""The larger kernels compile for each GPU family with that family's choices, and fit its shared memory.

No GPU is needed for that, so it also covers cards that nobody has run it on.
"""

import pytest
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from reranker_service.engines.packed.choices import choose
from reranker_service.engines.packed.triton_attention import attention_kernel
from reranker_service.engines.packed.triton_matmul import gate_up_kernel

# Most bytes of shared memory that one block may have, by compute capability.
SHARED = {75: 64 * 1024, 80: 163 * 1024, 89: 99 * 1024, 90: 227 * 1024}
TABLES = {"cos": "*fp32", "sin": "*fp32", "positions": "*i32", "last": "*i32", "tiles": "*i32"}
NUMBERS = {"query_stride": "i32", "key_stride": "i32", "output_stride": "i32", "eps": "fp32", "scale": "fp32"}


@pytest.mark.parametrize(
    ("capability", "dtype", "short", "output"),
    [
        (75, "float16", "fp16", "fp16"),
        (80, "bfloat16", "bf16", "bf16"),
        (90, "bfloat16", "bf16", "bf16"),
        (89, "bfloat16", "bf16", "fp8e4nv"),
        (90, "bfloat16", "bf16", "fp8e4nv"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_attention_compiles_and_fits(capability: int, dtype: str, short: str, output: str, last: bool) -> None:
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
    kinds["output"] = f"*{output}"
    source = ASTSource(
        fn=attention_kernel,
        signature={name: kinds[name] for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    options = {"num_warps": choice.warps, "num_stages": choice.stages}
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert compiled.asm["cubin"]
    assert 0 < compiled.metadata.shared <= SHARED[capability]


@pytest.mark.parametrize("kind", ["bf16", "fp8e4nv"])
def test_gate_product_compiles_and_fits(kind: str) -> None:
    choices = choose((9, 0), "bfloat16", group=2)
    choice = choices.gate if kind == "bf16" else choices.gate_fp8
    assert choice is not None
    constants: dict[str, int | None] = {
        "ROWS": choice.rows, "COLUMNS": choice.columns, "INNER": choice.inner, "BAND": choice.band, "PROGRAMS": 132,
    }  # fmt: skip
    kinds = dict.fromkeys(("rows", "width", "inner"), "i32") | {
        "states": f"tensordesc<{kind}[{choice.rows},{choice.inner}]>",
        "weights": f"tensordesc<{kind}[{choice.columns},{choice.inner}]>",
        "output": f"tensordesc<{kind}[{choice.rows},{choice.columns // 2}]>",
        "scales": "*fp32",
    }
    if kind == "bf16":
        constants["scales"] = None
    kinds |= dict.fromkeys(constants, "constexpr")
    names = gate_up_kernel.arg_names
    source = ASTSource(
        fn=gate_up_kernel,
        signature={name: kinds[name] for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    options = {"num_warps": choice.warps, "num_stages": choice.stages}
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert "wgmma" in compiled.asm["ptx"]
    assert 0 < compiled.metadata.shared <= SHARED[90]


@pytest.mark.parametrize("group", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("capability", [(7, 5), (8, 9), (9, 0)])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_tiles_are_what_the_matrix_units_take(capability: tuple[int, int], dtype: str, group: int) -> None:
    choices = choose(capability, dtype, group)
    padded = triton.next_power_of_2(group)
    assert choices.attention.tile * padded in (32, 64)
    assert choices.last_attention.tile * padded == 16
    assert min(choices.attention.block, choices.last_attention.block) >= 16
