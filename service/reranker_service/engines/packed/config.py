"""Reads the shape of a Qwen3 checkpoint, and refuses the ones this engine would compute wrongly."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class UnsupportedModelError(ValueError):
    """The checkpoint is none that the packed engine computes."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of a Qwen3 causal language model; `dtype` is the checkpoint's own, such as `bfloat16`."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    norm_eps: float
    rope_theta: float
    max_positions: int
    tied: bool
    dtype: str

    @property
    def query_size(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def group(self) -> int:
        """Query heads that share a key head."""
        return self.heads // self.kv_heads

    @property
    def kv_size(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.kv_heads * self.head_dim


def read_config(folder: Path) -> ModelConfig:
    """The model's shape from config.json.

    Raises:
        UnsupportedModelError: another architecture, or an option that the engine does not compute.
    """
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    _refuse_unknown(raw)
    rope = raw.get("rope_parameters") or {}
    heads = int(raw["num_attention_heads"])
    return ModelConfig(
        hidden=int(raw["hidden_size"]),
        intermediate=int(raw["intermediate_size"]),
        layers=int(raw["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(raw.get("num_key_value_heads") or heads),
        head_dim=int(raw.get("head_dim") or raw["hidden_size"] // heads),
        norm_eps=float(raw.get("rms_norm_eps", 1e-6)),
        rope_theta=float(rope.get("rope_theta") or raw.get("rope_theta") or 10000.0),
        max_positions=int(raw.get("max_position_embeddings", 32768)),
        tied=bool(raw.get("tie_word_embeddings", False)),
        dtype=str(raw.get("dtype") or raw.get("torch_dtype") or "bfloat16"),
    )


def _refuse_unknown(raw: dict[str, Any]) -> None:
    kind = raw.get("model_type")
    if kind != "qwen3":
        raise UnsupportedModelError(f"model_type is {kind!r}; the packed engine computes qwen3 only")
    rope = (raw.get("rope_parameters") or {}) | (raw.get("rope_scaling") or {})
    rope_type = rope.get("rope_type") or rope.get("type") or "default"
    checks = {
        "scaled rotary positions": rope_type != "default",
        "attention_bias": bool(raw.get("attention_bias")),
        "sliding windows": bool(raw.get("use_sliding_window")),
        "quantized weights": bool(raw.get("quantization_config")),
        f"hidden_act {raw.get('hidden_act')!r}": raw.get("hidden_act", "silu") != "silu",
    }
    found = [name for name, present in checks.items() if present]
    if found:
        raise UnsupportedModelError(f"the checkpoint uses {', '.join(found)}, which the packed engine does not compute")
