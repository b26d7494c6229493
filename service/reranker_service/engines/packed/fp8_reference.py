"""The 8-bit forward pass in plain torch: every rounding where the kernels round, every product in float32.

What the kernels in 8 bits are held against, and how far 8 bits are from the plain path where there is no such GPU.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.fp8 import Fp8Layer, Matrix, state_scale
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import ModelWeights


class Fp8Reference(ReferenceModel):
    """A model in memory, on any device torch knows.

    Args:
        config: the shape.
        quantised: all layers but the last.
        weights: the last layer, and what is no layer.
    """

    def __init__(self, config: ModelConfig, quantised: Sequence[Fp8Layer], weights: ModelWeights) -> None:
        layers: list[Any] = [*quantised, *weights.layers]
        super().__init__(config, ModelWeights(weights.embedding, layers, weights.final_norm, weights.direction))

    def _project(self, layer: Any, states: Tensor, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        sizes = (self._config.query_size, self._config.kv_size, self._config.kv_size)
        fused = self._product(self._normed(states), layer.qkv).to(states.dtype)
        queries, keys, values = fused.split(sizes, dim=-1)
        return (
            self._heads(queries, layer.query_norm, rotation),
            self._heads(keys, layer.key_norm, rotation),
            values.unflatten(-1, (-1, self._config.head_dim)),
        )

    def _finish(self, layer: Any, states: Tensor, mixed: Tensor) -> Tensor:
        if not isinstance(layer, Fp8Layer):
            return super()._finish(layer, states, mixed)
        states = states + self._product(mixed, layer.output).to(states.dtype)
        gate, up = self._product(self._normed(states), layer.gate_up).chunk(2, dim=-1)
        return states + self._product(functional.silu(gate) * up, layer.down).to(states.dtype)

    def _normed(self, states: Tensor) -> Tensor:
        """Normed states scaled to the range of 8 bits, in float32."""
        width = (states.shape[-1],)
        return functional.rms_norm(states.float(), width, None, self._config.norm_eps) * state_scale(self._config)

    def _product(self, inputs: Tensor, matrix: Matrix) -> Tensor:
        """`inputs` (rows, inputs) rounded as the matrix has been, times its transpose, in float32."""
        rounded = inputs.to(matrix.values.dtype).float()
        return functional.linear(rounded, matrix.values.float()) * matrix.scale
