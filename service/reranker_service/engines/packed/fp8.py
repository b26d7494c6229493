"""Turns weights into 8-bit floats (e4m3) and fixes, once and for all, the scale of everything between products.

A product in 8 bits needs its inputs within ±448. The usual way takes the largest value of each row at run time, which
a kernel can do only where one program holds a whole row: not in attention, where a row's heads lie in different
programs, nor in the gate product, where its columns do. But every activation here has a bound that follows from the
weights, since what enters a layer's products has been normed, and so has at most the length sqrt(hidden):

* the normed states themselves lie within ±sqrt(hidden), once the norm's own weight has been moved into the matrix;
* a value is a product of a row of the matrix and a normed state (Cauchy and Schwarz), and attention mixes values;
* gate * up is a product of two such products, of at most (|a| |b| + |a b|) / 2 times hidden, and silu only lessens it.

So each channel has a fixed scale, which goes into the scale of the product before it and into the columns of the matrix
behind it. Nothing is measured at run time and nothing can overflow; a float loses no precision when it lies below
its largest value, until 1/28,000 of it. Matrices have one scale for each output channel.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reranker_service.engines.packed.config import ModelConfig, UnsupportedModelError
from reranker_service.engines.packed.weights import LayerWeights, ModelWeights

FP8 = torch.float8_e4m3fn
LARGEST = 448.0
# Bounds are fitted below the largest value: rounding a state lengthens it by 1/16 at most, two of them by 0.13.
FITTED = 384.0
# Matrices must have multiples of so many rows and columns.
ALIGNMENT = 16
# The first compute capability whose matrix units take 8-bit floats: Ada; Hopper is 9.0.
FIRST_CAPABILITY = (8, 9)


@dataclass(slots=True)
class Matrix:
    """`values` (outputs, inputs) times `scale` (outputs,) in float32 is the matrix."""

    values: Tensor
    scale: Tensor


@dataclass(slots=True)
class Fp8Layer:
    """One decoder layer for inputs in 8 bits. The norms before `qkv` and `gate_up` are part of them.

    qkv: rows of queries, then keys, then values; values come out scaled as `output` wants them. gate_up: rows of the
    gate, then of the other half, which comes out such that silu(gate) * up is what `down` wants.
    """

    qkv: Matrix
    query_norm: Tensor
    key_norm: Tensor
    output: Matrix
    gate_up: Matrix
    down: Matrix


def check_shape(config: ModelConfig) -> None:
    """Refuse a model whose products the library can't compute in 8 bits.

    Raises:
        UnsupportedModelError: a size is no multiple of 16.
    """
    sizes = {
        "hidden_size": config.hidden,
        "intermediate_size": config.intermediate,
        "num_attention_heads * head_dim": config.query_size,
        "num_key_value_heads * head_dim": config.kv_size,
    }
    wrong = [f"{name} is {size}" for name, size in sizes.items() if size % ALIGNMENT]
    if wrong:
        raise UnsupportedModelError(
            f"quantization fp8 needs multiples of {ALIGNMENT}, but {', '.join(wrong)}; leave quantization out"
        )


def state_scale(config: ModelConfig) -> float:
    """What normed states (without the norm's weight) are multiplied by to fill the range of 8 bits."""
    return LARGEST / math.sqrt(config.hidden)


def quantise(config: ModelConfig, weights: ModelWeights, kind: Any = FP8) -> list[Fp8Layer]:
    """Take all layers but the last out of `weights`, one after another, and return them in 8 bits.

    The last layer stays: its few rows decide the scores directly, and would save 1/30 of what the others do.
    `kind` float32 does the same without rounding.

    Raises:
        UnsupportedModelError: see `check_shape`.
    """
    check_shape(config)
    layers = []
    while len(weights.layers) > 1:
        layers.append(quantise_layer(config, weights.layers.pop(0), kind))
    return layers


def quantise_layer(config: ModelConfig, layer: LayerWeights, kind: Any = FP8) -> Fp8Layer:
    """One layer in 8 bits, of a model that `check_shape` allows. `layer` stays as it is."""
    entry = state_scale(config)
    qkv = _matrix(layer.qkv.float() * layer.input_norm.float(), kind)
    values = slice(config.query_size + config.kv_size, None)
    value_unit = math.sqrt(config.hidden) * _lengths(_rows(qkv, values)) / FITTED
    qkv.scale /= entry
    qkv.scale[values] /= value_unit
    # Each key head's values reach `output` once for every query head that shares them.
    heads = value_unit.view(config.kv_heads, 1, config.head_dim).expand(-1, config.group, -1)
    output = _matrix(layer.output.float() * heads.reshape(-1), kind)

    gate_up = _matrix(layer.gate_up.float() * layer.post_norm.float(), kind)
    gate, up = (_rows(gate_up, half) for half in (slice(config.intermediate), slice(config.intermediate, None)))
    together = _lengths(gate) * _lengths(up) + (gate * up).sum(1).abs()
    inner_unit = (config.hidden * together / 2).clamp_min(torch.finfo(torch.float32).tiny) / FITTED
    gate_up.scale /= entry
    gate_up.scale[config.intermediate :] /= inner_unit
    down = _matrix(layer.down.float() * inner_unit, kind)
    return Fp8Layer(qkv, layer.query_norm, layer.key_norm, output, gate_up, down)


def _matrix(exact: Tensor, kind: Any) -> Matrix:
    """`exact` (outputs, inputs) in float32, each row as large as 8 bits allow."""
    scale = exact.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LARGEST
    return Matrix((exact / scale[:, None]).to(kind), scale)


def _rows(matrix: Matrix, which: slice) -> Tensor:
    """Some rows as they are after rounding, in float32."""
    return matrix.values[which].float() * matrix.scale[which, None]


def _lengths(rows: Tensor) -> Tensor:
    return rows.norm(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
