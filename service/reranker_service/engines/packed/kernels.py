"""Launches the Triton kernels: the one place that knows their arguments, grids and padded sizes."""

import math
from typing import Any

import torch
import triton  # type: ignore[import-untyped]
from torch import Tensor

from reranker_service.engines.packed.choices import AttentionChoice, ProductChoice
from reranker_service.engines.packed.config import ModelConfig, UnsupportedModelError
from reranker_service.engines.packed.triton_attention import attention_kernel, prepare_keys_kernel
from reranker_service.engines.packed.triton_elementwise import rms_norm_kernel, score_kernel, silu_mul_kernel
from reranker_service.engines.packed.triton_matmul import gate_up_kernel

NORM_ELEMENTS = 4096
SILU_BLOCK = 2048
KEY_BLOCK = 16
LOG2_E = 1.0 / math.log(2.0)


class Kernels:
    """The kernels for one model's shape.

    Args:
        config: the shape.
        positions: how many positions the rotation table holds.
        device: where everything lies.
        keys_ready: whether `prepare_keys` runs before `attend`.
    """

    def __init__(self, config: ModelConfig, *, positions: int, device: str, keys_ready: bool) -> None:
        if config.head_dim not in (32, 64, 128, 256):
            raise UnsupportedModelError(f"heads of {config.head_dim} don't fit the attention kernel")
        self._config = config
        self._half = config.head_dim // 2
        self._group = config.group
        self._keys_ready = keys_ready
        speeds = config.rope_theta ** (-torch.arange(self._half, dtype=torch.float64, device=device) / self._half)
        angles = torch.arange(positions, dtype=torch.float64, device=device)[:, None] * speeds
        self._cos, self._sin = angles.cos().float(), angles.sin().float()
        self._scale = LOG2_E / math.sqrt(config.head_dim)

    def norm(self, states: Tensor, weight: Tensor, output: Tensor, *, owed: Tensor | None = None) -> None:
        """Root-mean-square norm of `states` (rows, hidden) into `output`, with `owed` added to the states before."""
        rows, width = states.shape
        padded = triton.next_power_of_2(width)
        several = max(1, NORM_ELEMENTS // padded)
        rms_norm_kernel[(triton.cdiv(rows, several),)](
            states,
            owed,
            weight,
            output,
            rows,
            self._config.norm_eps,
            WIDTH=width,
            PADDED=padded,
            ROWS=several,
            num_warps=4,
        )

    def silu_mul(self, pairs: Tensor, output: Tensor) -> None:
        """silu(gate) * up of `pairs` (rows, 2 * inner), gate and up in turns, into `output` (rows, inner)."""
        count = output.numel()
        silu_mul_kernel[(triton.cdiv(count, SILU_BLOCK),)](pairs, output, count, BLOCK=SILU_BLOCK, num_warps=4)

    def score(self, states: Tensor, weight: Tensor, output: Tensor) -> None:
        """Log-odds of `states` (n, hidden) into `output` (n,)."""
        rows, width = states.shape
        padded = triton.next_power_of_2(width)
        score_kernel[(rows,)](states, weight, output, self._config.norm_eps, WIDTH=width, PADDED=padded, num_warps=4)

    def attend(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        output: Tensor,
        *,
        query_norm: Tensor,
        key_norm: Tensor,
        positions: Tensor,
        tiles: Tensor,
        last: Tensor | None,
        choice: AttentionChoice,
    ) -> None:
        """Attention of raw queries (rows, heads * head_dim) to raw or prepared keys (tokens, kv_heads * head_dim).

        `last` (rows,) names the tokens that rows stand for; None: row and token are the same.
        """
        attention_kernel[(tiles.shape[0], self._config.kv_heads)](
            queries,
            keys,
            values,
            output,
            query_norm,
            key_norm,
            self._cos,
            self._sin,
            positions,
            positions if last is None else last,
            tiles,
            queries.stride(0),
            keys.stride(0),
            output.stride(0),
            self._config.norm_eps,
            self._scale,
            LAST=last is not None,
            KEYS_READY=self._keys_ready,
            GROUP=self._group,
            GROUP_PADDED=triton.next_power_of_2(self._group),
            HALF=self._half,
            TILE=choice.tile,
            BLOCK=choice.block,
            PRECISION="ieee",
            num_warps=choice.warps,
            num_stages=choice.stages,
        )

    def prepare_keys(self, keys: Tensor, key_norm: Tensor, positions: Tensor) -> None:
        """Norm and rotate `keys` (tokens, kv_heads * head_dim) in place."""
        tokens = keys.shape[0]
        prepare_keys_kernel[(triton.cdiv(tokens, KEY_BLOCK), self._config.kv_heads)](
            keys,
            key_norm,
            self._cos,
            self._sin,
            positions,
            keys.stride(0),
            tokens,
            self._config.norm_eps,
            HALF=self._half,
            BLOCK=KEY_BLOCK,
            num_warps=4,
        )


class GateProduct:
    """The fused gate product; see `triton_matmul`. Needs the bulk copy engine (compute capability 9 and later)."""

    def __init__(self, choice: ProductChoice, programs: int) -> None:
        self._choice = choice
        self._programs = programs

    def describe(self, matrix: Tensor, rows: int, columns: int) -> Any:
        """A descriptor of `matrix` in blocks of (rows, columns)."""
        from triton.tools.tensor_descriptor import TensorDescriptor  # type: ignore[import-untyped] # noqa: PLC0415 - absent in old releases

        return TensorDescriptor.from_tensor(matrix, [rows, columns])

    def describe_weights(self, weights: Tensor) -> Any:
        """A descriptor of `weights` (2 * inner, hidden), gate and up in turns; worth keeping."""
        return self.describe(weights, self._choice.columns, self._choice.inner)

    def __call__(self, states: Tensor, weights: Any, output: Tensor, scales: Tensor | None = None) -> None:
        """silu(gate) * up of `states` (rows, hidden) into `output` (rows, inner).

        `scales` (2 * inner,) are those of the weights' rows, where they have any.
        """
        choice = self._choice
        rows, hidden = states.shape
        width = 2 * output.shape[1]
        # Always as many programs, even where some find nothing to do: each number would be compiled apart.
        gate_up_kernel[(self._programs,)](
            self.describe(states, choice.rows, choice.inner),
            weights,
            self.describe(output, choice.rows, choice.columns // 2),
            scales,
            rows,
            width,
            hidden,
            ROWS=choice.rows,
            COLUMNS=choice.columns,
            INNER=choice.inner,
            BAND=choice.band,
            PROGRAMS=self._programs,
            num_warps=choice.warps,
            num_stages=choice.stages,
        )
