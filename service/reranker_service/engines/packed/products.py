"""The matrix products of a layer and the steps that make their inputs, behind one interface for each number format.

Between them a forward pass has only attention, which is the same for all. Here is the plain format: the library's
products on the weights as they are, which add to the residual themselves.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from reranker_service.engines.packed.choices import Choices
from reranker_service.engines.packed.kernels import GateProduct, Kernels
from reranker_service.engines.packed.weights import LayerWeights

Buffers = dict[str, Tensor]


class Products(Protocol):
    """The products of some layers, computed in buffers that are the caller's.

    `states` (rows, hidden) may be owed the last product's result between two calls; `settle` pays.
    """

    @property
    def mixed(self) -> Tensor:
        """(tokens, query_size): where attention's results go, in the format that `finish` takes."""

    def project(self, index: int, states: Tensor, qkv: Tensor) -> None:
        """Norm `states` and write queries, keys and values of layer `index` into `qkv` (rows, all of them)."""

    def finish(self, index: int, states: Tensor, mixed: Tensor) -> None:
        """Add the output product of `mixed` (rows, query_size), then the feed-forward part, to `states`."""

    def settle(self, states: Tensor, weight: Tensor, output: Tensor) -> None:
        """Complete `states`, and norm them with `weight` into `output`."""


class PlainProducts:
    """The products of `layers` in their weights' own type. Rearranges `gate_up` in place: gate and up in turns."""

    def __init__(self, layers: Sequence[LayerWeights], kernels: Kernels, choices: Choices, buffers: Buffers) -> None:
        self._layers = layers
        self._kernels = kernels
        self._buffers = buffers
        for layer in layers:
            layer.gate_up = in_turns(layer.gate_up)
        self._gate: GateProduct | None = None
        self._described: list[Any] = []
        if choices.gate is not None:
            self._gate = GateProduct(choices.gate, multiprocessors(buffers["states"].device))
            self._described = [self._gate.describe_weights(layer.gate_up) for layer in layers]

    @property
    def mixed(self) -> Tensor:
        """See `Products`."""
        return self._buffers["mixed"]

    def project(self, index: int, states: Tensor, qkv: Tensor) -> None:
        """See `Products`."""
        normed = self._buffers["normed"][: states.shape[0]]
        self._kernels.norm(states, self._layers[index].input_norm, normed)
        torch.mm(normed, self._layers[index].qkv.t(), out=qkv)

    def finish(self, index: int, states: Tensor, mixed: Tensor) -> None:
        """See `Products`."""
        layer, rows = self._layers[index], states.shape[0]
        normed, inner = self._buffers["normed"][:rows], self._buffers["inner"][:rows]
        states.addmm_(mixed, layer.output.t())
        self._kernels.norm(states, layer.post_norm, normed)
        if self._gate is not None:
            self._gate(normed, self._described[index], inner)
        else:
            pairs = self._buffers["pairs"][:rows]
            torch.mm(normed, layer.gate_up.t(), out=pairs)
            self._kernels.silu_mul(pairs, inner)
        states.addmm_(inner, layer.down.t())

    def settle(self, states: Tensor, weight: Tensor, output: Tensor) -> None:
        """See `Products`."""
        self._kernels.norm(states, weight, output)


def in_turns(halves: Tensor) -> Tensor:
    """(2 * n, ...) with rows of the second half behind those of the first, as rows of both in turns."""
    return halves.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1).contiguous()


def multiprocessors(device: Any) -> int:
    """How many programs run at once on `device`; 1 where kernels are interpreted on a CPU."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
