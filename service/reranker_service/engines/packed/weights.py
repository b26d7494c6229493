"""Loads a Qwen3 checkpoint's tensors straight to where they are used, with the products that share an input fused.

Nothing of transformers is needed for that. Of the language model head only the rows of yes and no are read: the score
is their difference, so what is kept is one vector.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from reranker_service.engines.packed.config import ModelConfig, UnsupportedModelError


@dataclass(slots=True)
class LayerWeights:
    """One decoder layer; matrices are (outputs, inputs), as in the checkpoint.

    qkv: rows of queries, then keys, then values. gate_up: rows of the gate, then of the other half.
    """

    input_norm: Tensor
    qkv: Tensor
    query_norm: Tensor
    key_norm: Tensor
    output: Tensor
    post_norm: Tensor
    gate_up: Tensor
    down: Tensor


@dataclass(slots=True)
class ModelWeights:
    """A whole model. `direction` (hidden,) in float32 is the head's row of yes minus that of no."""

    embedding: Tensor
    layers: list[LayerWeights]
    final_norm: Tensor
    direction: Tensor


def load_weights(
    folder: Path,
    config: ModelConfig,
    *,
    yes_id: int,
    no_id: int,
    device: str,
    dtype: Any,
    take: Callable[[LayerWeights], None] | None = None,
) -> ModelWeights:
    """Read every tensor once, to `device` and `dtype` (norms too, the direction to float32).

    `take` gets each layer but the last as soon as it is read; it is then not among the result's.

    Raises:
        UnsupportedModelError: a tensor is missing, or has another shape than config.json says.
    """
    with _open(folder, device) as files:
        read = _Reader(files, dtype)
        q, kv, hidden = config.query_size, config.kv_size, config.hidden
        embedding = read("embed_tokens.weight", None, hidden)
        head = "embed_tokens.weight" if config.tied or "lm_head.weight" not in files else "lm_head.weight"
        layers = []
        for index in range(config.layers):
            attention, mlp = f"layers.{index}.self_attn", f"layers.{index}.mlp"
            parts = [read(f"{attention}.{n}_proj.weight", s, hidden) for n, s in (("q", q), ("k", kv), ("v", kv))]
            gates = [read(f"{mlp}.{n}_proj.weight", config.intermediate, hidden) for n in ("gate", "up")]
            layer = LayerWeights(
                input_norm=read(f"layers.{index}.input_layernorm.weight", hidden),
                qkv=torch.cat(parts),
                query_norm=read(f"{attention}.q_norm.weight", config.head_dim),
                key_norm=read(f"{attention}.k_norm.weight", config.head_dim),
                output=read(f"{attention}.o_proj.weight", hidden, q),
                post_norm=read(f"layers.{index}.post_attention_layernorm.weight", hidden),
                gate_up=torch.cat(gates),
                down=read(f"{mlp}.down_proj.weight", hidden, config.intermediate),
            )
            if take is None or index == config.layers - 1:
                layers.append(layer)
            else:
                take(layer)
        yes, no = (read.row(head, token) for token in (yes_id, no_id))
        return ModelWeights(embedding, layers, read("norm.weight", hidden), yes - no)


class _Reader:
    """Reads tensors by their name in the model, whichever file they lie in."""

    def __init__(self, files: dict[str, Any], dtype: Any) -> None:
        self._files = files
        self._dtype = dtype

    def __call__(self, name: str, *shape: int | None) -> Any:
        tensor = self._file(name).get_tensor(self._full(name))
        fits = len(shape) == tensor.dim() and all(want in (None, has) for want, has in zip(shape, tensor.shape))  # noqa: B905
        if not fits:
            raise UnsupportedModelError(f"{name} is {tuple(tensor.shape)}, but config.json asks for {shape}")
        return tensor.to(self._dtype)

    def row(self, name: str, index: int) -> Any:
        """One row of a matrix, in float32; the rest is not read."""
        return self._file(name).get_slice(self._full(name))[index : index + 1][0].float()

    def _file(self, name: str) -> Any:
        try:
            return self._files[self._full(name)]
        except KeyError:
            raise UnsupportedModelError(f"the checkpoint lacks the tensor {name}") from None

    def _full(self, name: str) -> str:
        full = f"model.{name}"
        return full if full in self._files else name


@contextmanager
def _open(folder: Path, device: str) -> Iterator[dict[str, Any]]:
    """Every tensor's name with the open file that holds it."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        wanted = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [folder / name for name in wanted]
    else:
        paths = sorted(folder.glob("*.safetensors"))
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        for path in paths:
            try:
                file = stack.enter_context(safe_open(path, framework="pt", device=device))
            except Exception as error:
                raise UnsupportedModelError(f"{path} can't be read: {error}") from error
            files |= dict.fromkeys(file.keys(), file)
        yield files
