"""The products of a layer in 8-bit floats; see `fp8` for how everything comes to lie in their range.

What makes a product's input writes it in 8 bits: the norm, attention, the gate. The library's 8-bit products can't add
to what is there, so the residual is added by the norm behind them, in the one pass over memory that it makes anyway.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from reranker_service.engines.packed.choices import Choices
from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.fp8 import FP8, Fp8Layer, Matrix, state_scale
from reranker_service.engines.packed.kernels import GateProduct, Kernels
from reranker_service.engines.packed.products import Buffers, in_turns, multiprocessors


class Fp8Products:
    """The products of `layers`; see `products.Products`. Rearranges `gate_up` in place: gate and up in turns.

    8-bit inputs lie in the memory of the plain ones, and results that wait to be added in that of `qkv`, which nobody
    needs by then: no memory is taken beside that of the plain products.
    """

    def __init__(
        self, config: ModelConfig, layers: Sequence[Fp8Layer], kernels: Kernels, choices: Choices, buffers: Buffers
    ) -> None:
        self._layers = layers
        self._kernels = kernels
        self._buffers = buffers
        self._normed, self._inner, self._mixed = (_in_8_bits(buffers[name]) for name in ("normed", "inner", "mixed"))
        tokens, hidden = buffers["states"].shape
        device = buffers["states"].device
        self._owed = buffers["qkv"].view(-1)[: tokens * hidden].view(tokens, hidden)
        self._ones = torch.ones(tokens, 1, dtype=torch.float32, device=device)
        self._entry = torch.full((hidden,), state_scale(config), dtype=torch.float32, device=device)
        for layer in layers:
            layer.gate_up = Matrix(in_turns(layer.gate_up.values), in_turns(layer.gate_up.scale))
        self._gate: GateProduct | None = None
        self._described: list[Any] = []
        if choices.gate_fp8 is not None:
            self._gate = GateProduct(choices.gate_fp8, multiprocessors(device))
            self._described = [self._gate.describe_weights(layer.gate_up.values) for layer in layers]

    @property
    def mixed(self) -> Tensor:
        """See `products.Products`."""
        return self._mixed

    def project(self, index: int, states: Tensor, qkv: Tensor) -> None:
        """See `products.Products`."""
        normed = self._enter(states, first=index == 0)
        self._product(normed, self._layers[index].qkv, qkv)

    def finish(self, index: int, states: Tensor, mixed: Tensor) -> None:
        """See `products.Products`. The last product's result stays owed."""
        layer, rows = self._layers[index], states.shape[0]
        owed, inner = self._owed[:rows], self._inner[:rows]
        self._product(mixed, layer.output, owed)
        normed = self._enter(states)
        if self._gate is not None:
            self._gate(normed, self._described[index], inner, layer.gate_up.scale)
        else:
            pairs = self._buffers["pairs"][:rows]
            self._product(normed, layer.gate_up, pairs)
            self._kernels.silu_mul(pairs, inner)
        self._product(inner, layer.down, owed)

    def settle(self, states: Tensor, weight: Tensor, output: Tensor) -> None:
        """See `products.Products`."""
        self._kernels.norm(states, weight, output, owed=self._owed[: states.shape[0]] if self._layers else None)

    def _enter(self, states: Tensor, *, first: bool = False) -> Tensor:
        """`states` completed, normed and in 8 bits. Before the first layer nothing is owed."""
        rows = states.shape[0]
        normed = self._normed[:rows]
        self._kernels.norm(states, self._entry, normed, owed=None if first else self._owed[:rows])
        return normed

    def _product(self, inputs: Tensor, matrix: Matrix, output: Tensor) -> None:
        """`inputs` (rows, inputs) in 8 bits times the matrix, into `output` (rows, outputs).

        The library's sums may keep fewer bits than float32 (fast accumulation): of at most some thousand summands that
        is far below what rounding the summands costs.
        """
        torch._scaled_mm(  # noqa: SLF001 - the only way to the library's 8-bit products
            inputs,
            matrix.values.t(),
            scale_a=self._ones[: inputs.shape[0]],
            scale_b=matrix.scale[None],
            out_dtype=output.dtype,
            use_fast_accum=True,
            out=output,
        )


def _in_8_bits(buffer: Tensor) -> Tensor:
    """As many rows of the same width in the first half of a buffer's memory."""
    return buffer.view(FP8).view(-1)[: buffer.numel()].view(buffer.shape)
