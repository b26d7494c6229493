"""Correctness on a GPU: the packed forward pass against the plain path and transformers, over random shapes.

Usage: python3 -m hack.gpu.check [random requests] [seconds]
"""

import itertools
import multiprocessing
import sys
import time

import numpy as np
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from hack.gpu import common
from hack.gpu.common import say
from hack.gpu.scoring import plain, run
from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.gpu import GpuModel
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.scoring.prompt_arrays import Prompts

SHAPES = {
    "group 2": ModelConfig(256, 512, 4, 4, 2, 128, 1e-6, 1e6, 4096, tied=True, dtype="bfloat16"),
    "group 4": ModelConfig(256, 768, 4, 8, 2, 128, 1e-6, 1e6, 4096, tied=True, dtype="bfloat16"),
    "group 5": ModelConfig(320, 512, 3, 5, 1, 64, 1e-6, 1e4, 4096, tied=True, dtype="bfloat16"),
    "group 1": ModelConfig(256, 512, 3, 2, 2, 64, 1e-6, 1e4, 4096, tied=True, dtype="bfloat16"),
}
DTYPES = ("float32", "bfloat16", "float16")
VOCABULARY = 12000


def draw(rng: np.random.Generator) -> list[Prompts]:
    """Up to five requests of 1 to 1,000 documents, with documents of 1 to many tokens, now and then a long one."""
    start = rng.integers(0, 500, rng.integers(0, 40))
    batch = []
    longest = int(rng.choice([1, 8, 40, 150]))
    for _ in range(int(rng.choice([1, 1, 2, 5]))):
        head = np.concatenate([start, rng.integers(0, 500, rng.integers(0, 60))])
        count = int(rng.choice([1, 10, 100, 300, 1000], p=[0.25, 0.3, 0.25, 0.15, 0.05]))
        batch.append(documents(rng, head, rng.integers(1, longest + 1, count)))
    if rng.random() < 0.3:
        batch.append(documents(rng, start, rng.integers(500, 3000, 1)))
    return batch


def documents(rng: np.random.Generator, head: np.ndarray, lengths: np.ndarray) -> Prompts:
    bodies = rng.integers(0, 500, lengths.sum())
    return Prompts(head.astype(np.int32), bodies.astype(np.int32), lengths.astype(np.int32))


def warm(item: tuple[str, str]) -> None:
    """In a process of its own: compile the kernels of one shape and dtype into Triton's cache."""
    name, dtype = item
    weights = common.copy_of(
        common.random_weights(SHAPES[name], torch.float32, vocabulary=VOCABULARY), getattr(torch, dtype)
    )
    model = GpuModel(
        SHAPES[name], weights, common.chosen(dtype, SHAPES[name].group), max_tokens=4096, max_positions=4096
    )
    run(model, draw(np.random.default_rng(1)), 3000)


def models_of(name: str) -> list[tuple[str, GpuModel, ReferenceModel]]:
    """Each dtype's packed and plain model of one shape. What is not float32 has graphs for some sizes."""
    config = SHAPES[name]
    weights = common.random_weights(config, torch.float32, vocabulary=VOCABULARY)
    models = []
    for dtype in DTYPES:
        kind = getattr(torch, dtype)
        packed = GpuModel(
            config,
            common.copy_of(weights, kind),
            common.chosen(dtype, config.group),
            max_tokens=8192,
            max_positions=4096,
        )
        for tokens in (256, 1024, 2048, 3072) if dtype != "float32" else ():
            packed.capture(tokens)
        models.append((dtype, packed, ReferenceModel(config, common.copy_of(weights, kind))))
    return models


def shapes(task: tuple[int, int, float]) -> tuple[int, dict[str, np.ndarray]]:
    """In a process of its own: random requests, at least so many, in three dtypes, each batch with one of the models.

    Returns the number of requests and each dtype's differences from the plain path.
    """
    seed, count, seconds = task
    rng = np.random.default_rng(seed)
    models = [models_of(name) for name in SHAPES]
    errors: dict[str, list[np.ndarray]] = {}
    done = requests = 0
    deadline = time.monotonic() + seconds
    while requests < count and time.monotonic() < deadline:
        batch = draw(rng)
        budget = int(rng.choice([3000, 8192]))
        group = models[done % len(models)]
        truth = plain(group[0][2], batch)
        for dtype, packed, rough in group:
            errors.setdefault(dtype, []).append(run(packed, batch, budget) - truth)
            if dtype != "float32" and done // len(models) % 8 == 0:
                errors.setdefault(f"plain {dtype}", []).append(plain(rough, batch) - truth)
        done += 1
        requests += len(batch)
    return requests, {dtype: np.concatenate(each) for dtype, each in errors.items()}


def report(found: list[tuple[int, dict[str, np.ndarray]]]) -> bool:
    """Print all processes' differences; whether float32 has none that matters."""
    requests = sum(each for each, _ in found)
    say(f"{requests} random requests in batches, in turn with {len(SHAPES)} models; log-odds")
    fine = True
    for dtype in found[0][1]:
        every = np.abs(np.concatenate([errors[dtype] for _, errors in found]))
        fine = fine and bool(np.isfinite(every).all()) and (dtype != "float32" or every.max() < 1e-4)
        say(f"  {dtype:>14}: max {every.max():.2e}  rms {np.sqrt((every**2).mean()):.2e} of {every.size} prompts")
    return fine


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
    for dtype in ("float32", "bfloat16", "float16"):
        kind = getattr(torch, dtype)
        model = GpuModel(
            config, common.copy_of(weights, kind), common.chosen(dtype), max_tokens=32768, max_positions=160
        )
        together = run(model, batch, 32768)[some]
        alone = np.concatenate([run(model, [Prompts.from_lists([prompts[place]])], 32768) for place in some])
        error = np.abs(together - exact)
        say(f"  ours {dtype}: max {error.max():.2e} rms {np.sqrt((error**2).mean()):.2e} of {len(some)} prompts; "
            f"alone or among 1,000: {np.abs(together - alone).max():.2e}")  # fmt: skip


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_tf32 = False
    against_transformers()
    count, seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20, float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    multiprocessing.set_start_method("spawn")
    with multiprocessing.Pool(12) as pool:
        pool.map(warm, list(itertools.product(SHAPES, DTYPES)), chunksize=1)
        say("kernels compiled")
        # The plain path waits for the interpreter, not for the card: several processes share that.
        found = pool.map(shapes, [(2025 + place, -(-count // 12), seconds) for place in range(12)], chunksize=1)
    sys.exit(0 if report(found) else 1)
