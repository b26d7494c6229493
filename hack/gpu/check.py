"""Correctness on a GPU at the 0.6B shape: the packed forward pass against transformers, alone and among others.

Usage: python3 -m hack.gpu.check. Random requests at other shapes: `shapes`.
"""

import numpy as np
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from hack.gpu import common
from hack.gpu.common import say
from hack.gpu.fp8_parts import MOST, alone, packed
from hack.gpu.scoring import run
from reranker_service.scoring.prompt_arrays import Prompts


def against_transformers() -> None:
    """The 0.6B shape: ours in float32 and bfloat16 against transformers in both, one prompt at a time."""
    config = common.SMALL
    weights = common.random_weights(config, torch.float32)
    shape = Qwen3Config(
        vocab_size=151669, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=40960, rope_theta=1e6, rms_norm_eps=1e-6,
        tie_word_embeddings=True,
    )  # fmt: skip
    # Made on the GPU: drawing 600 million weights on a CPU takes longer than everything else here.
    with torch.device("cuda"):
        theirs = Qwen3ForCausalLM(shape).eval()
    body = theirs.model
    with torch.no_grad():
        body.embed_tokens.weight.copy_(weights.embedding)
        body.norm.weight.copy_(weights.final_norm)
        for layer, held in zip(body.layers, weights.layers, strict=True):
            q, k, v = held.qkv.split((2048, 1024, 1024))
            gate, up = held.gate_up.chunk(2)
            attention, mlp = layer.self_attn, layer.mlp
            for module, tensor in (
                (attention.q_proj, q), (attention.k_proj, k), (attention.v_proj, v), (attention.o_proj, held.output),
                (attention.q_norm, held.query_norm), (attention.k_norm, held.key_norm), (mlp.gate_proj, gate),
                (mlp.up_proj, up), (mlp.down_proj, held.down), (layer.input_layernorm, held.input_norm),
                (layer.post_attention_layernorm, held.post_norm),
            ):  # fmt: skip
                module.weight.copy_(tensor)
    rng = np.random.default_rng(7)
    batch = [common.request(rng, 500, form) for form in ("compact", "standard")]
    some = [*range(24), *range(500, 524)]
    prompts = [ids for request in batch for ids in request.lists()]

    def scores(model: Qwen3ForCausalLM) -> np.ndarray:
        values = []
        with torch.inference_mode():
            for prompt in (prompts[place] for place in some):
                state = model.model(torch.tensor([prompt], device="cuda")).last_hidden_state[0, -1]
                values.append(float(state.float() @ weights.direction))
        return np.asarray(values)

    exact = scores(theirs)
    low = np.abs(scores(theirs.to(torch.bfloat16)) - exact)
    del theirs
    say(f"transformers float32: log-odds {exact.mean():.3f} +- {exact.std():.3f}; its bfloat16: "
        f"max {low.max():.4f} rms {np.sqrt((low**2).mean()):.4f}")  # fmt: skip
    for name in ("float32", "bfloat16", "float16", "fp8"):
        dtype = "bfloat16" if name == "fp8" else name
        model = packed(config, weights, common.chosen(dtype), fp8=name == "fp8", dtype=getattr(torch, dtype))
        together = run(model, batch, MOST)[some]
        by_itself = alone(model, [Prompts.from_lists([prompts[place]]) for place in some])
        error = np.abs(together - exact)
        say(f"  ours {name}: max {error.max():.2e} rms {np.sqrt((error**2).mean()):.2e} of {len(some)} prompts; "
            f"alone or among 1,000: {np.abs(together - by_itself).max():.2e}")  # fmt: skip


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_tf32 = False
    against_transformers()
