"""The 0.6B shape with random weights as a complete checkpoint folder, for servers that read one from disk.

`TOKENIZER` names the tokenizer.json to put beside the weights; without it the folder serves in-process use only.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from hack.gpu import common
from hack.gpu.common import SMALL

FOLDER = Path(tempfile.gettempdir()) / "packed-checkpoint"
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 151669, "hidden_size": 1024,
    "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
    "head_dim": 128, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "rope_scaling": None,
    "attention_bias": False, "max_position_embeddings": 40960, "tie_word_embeddings": True, "dtype": "bfloat16",
    "bos_token_id": 151643, "eos_token_id": 151645, "use_sliding_window": False,
}  # fmt: skip
TOKENIZER_CONFIG = {
    "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
    "unk_token": None, "bos_token": None, "model_max_length": 131072, "add_prefix_space": False,
}  # fmt: skip


def save() -> Path:
    """Write the folder, unless it is there already."""
    if (FOLDER / "config.json").exists():
        return FOLDER
    FOLDER.mkdir(exist_ok=True)
    save_file(tensors(), FOLDER / "model.safetensors", metadata={"format": "pt"})
    tokenizer = os.environ.get("TOKENIZER")
    if tokenizer:
        shutil.copy(tokenizer, FOLDER / "tokenizer.json")
        (FOLDER / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG))
    (FOLDER / "config.json").write_text(json.dumps(CONFIG))
    return FOLDER


def tensors() -> dict[str, torch.Tensor]:
    """The checkpoint's tensors by name, on the CPU."""
    weights = common.random_weights(SMALL, torch.bfloat16)
    named = {"embed_tokens.weight": weights.embedding, "norm.weight": weights.final_norm}
    for index, layer in enumerate(weights.layers):
        q, k, v = layer.qkv.split((2048, 1024, 1024))
        gate, up = layer.gate_up.chunk(2)
        parts = {
            "self_attn.q_proj": q, "self_attn.k_proj": k, "self_attn.v_proj": v, "self_attn.o_proj": layer.output,
            "self_attn.q_norm": layer.query_norm, "self_attn.k_norm": layer.key_norm, "mlp.gate_proj": gate,
            "mlp.up_proj": up, "mlp.down_proj": layer.down, "input_layernorm": layer.input_norm,
            "post_attention_layernorm": layer.post_norm,
        }  # fmt: skip
        named |= {f"layers.{index}.{name}.weight": tensor for name, tensor in parts.items()}
    return {f"model.{name}": tensor.contiguous().cpu() for name, tensor in named.items()}


if __name__ == "__main__":
    common.say("checkpoint in", save())
