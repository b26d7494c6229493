"""Models with random weights and prompts of real lengths, for the GPU scripts beside this file."""

import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

SERVICE = Path(__file__).resolve().parents[2] / "service"
sys.path.insert(0, str(SERVICE))
# The package's own module reads the service's settings, for which a bare GPU machine lacks the libraries.
sys.modules["reranker_service.engines"] = engines = ModuleType("reranker_service.engines")
engines.__path__ = [str(SERVICE / "reranker_service" / "engines")]

from reranker_service.engines.packed.choices import AttentionChoice, Choices, ProductChoice, choose  # noqa: E402
from reranker_service.engines.packed.config import ModelConfig  # noqa: E402
from reranker_service.engines.packed.weights import LayerWeights, ModelWeights  # noqa: E402
from reranker_service.scoring.prompt_arrays import Prompts  # noqa: E402

# Tokens of the prompt's head with the seed's query and instruction, counted with Qwen3's tokenizer, and of its end.
HEADS = {"compact": 50, "standard": 70}
SUFFIX = 9

SMALL = ModelConfig(1024, 3072, 28, 16, 8, 128, 1e-6, 1e6, 40960, tied=True, dtype="bfloat16")
STARTED = time.monotonic()


def say(*words: object) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f}]", *words, flush=True)


# The sweep writes what it found best here; the other scripts take it from there when PACKED_TUNED is set.
TUNED = Path(tempfile.gettempdir()) / "packed-tuned.json"


def chosen(dtype: str, group: int = 2) -> Choices:
    """What this GPU runs, or what the sweep before found (at the 0.6B shape's 2 query heads a key head)."""
    choices = choose(torch.cuda.get_device_capability(), dtype, group)
    if group != 2 or dtype == "float32" or "PACKED_TUNED" not in os.environ or not TUNED.exists():
        return choices
    kinds: dict[str, type[Any]] = {"attention": AttentionChoice, "last_attention": AttentionChoice}
    kinds |= {"gate": ProductChoice, "gate_fp8": ProductChoice}
    found = {
        name: kinds[name](**value) if name in kinds and value is not None else value
        for name, value in json.loads(TUNED.read_text()).items()
    }
    return dataclasses.replace(choices, **found)


def remember(**found: object) -> None:
    """Keep what a sweep found best."""
    known = json.loads(TUNED.read_text()) if TUNED.exists() else {}
    for name, value in found.items():
        known[name] = dataclasses.asdict(value) if isinstance(value, AttentionChoice | ProductChoice) else value
    TUNED.write_text(json.dumps(known))
    say("tuned:", known)


def random_weights(
    config: ModelConfig, dtype: torch.dtype, seed: int = 0, vocabulary: int = 151669, device: str | None = None
) -> ModelWeights:
    """Weights that keep activations of about one size through all layers. Each kind of device draws its own."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    generator = torch.Generator(device).manual_seed(seed)

    def matrix(rows: int, columns: int, scale: float = 1.0) -> torch.Tensor:
        values = torch.randn(rows, columns, generator=generator, device=device) * (scale * columns**-0.5)
        return values.to(torch.bfloat16).to(dtype)

    def norm(size: int) -> torch.Tensor:
        values = 0.5 + torch.rand(size, generator=generator, device=device)
        return values.to(torch.bfloat16).to(dtype)

    layers = [
        LayerWeights(
            input_norm=norm(config.hidden),
            qkv=matrix(config.query_size + 2 * config.kv_size, config.hidden),
            query_norm=norm(config.head_dim),
            key_norm=norm(config.head_dim),
            output=matrix(config.hidden, config.query_size, 0.5),
            post_norm=norm(config.hidden),
            gate_up=matrix(2 * config.intermediate, config.hidden),
            down=matrix(config.hidden, config.intermediate, 0.5),
        )
        for _ in range(config.layers)
    ]
    embedding = matrix(vocabulary, config.hidden)
    direction = (embedding[9693].float() - embedding[2152].float()) * config.hidden**0.5 * 0.1
    return ModelWeights(embedding, layers, norm(config.hidden), direction)


def copy_of(weights: ModelWeights, dtype: torch.dtype, device: str | None = None) -> ModelWeights:
    """The same weights in another dtype; nothing is shared, since the GPU model rearranges its own."""

    def copied(tensor: torch.Tensor, kind: torch.dtype = dtype) -> torch.Tensor:
        return tensor.to(device=device or tensor.device, dtype=kind, copy=True)

    layers = [
        LayerWeights(**{name: copied(getattr(layer, name)) for name in LayerWeights.__slots__})
        for layer in weights.layers
    ]
    direction = copied(weights.direction, weights.direction.dtype)
    return ModelWeights(copied(weights.embedding), layers, copied(weights.final_norm), direction)


def request(rng: np.random.Generator, documents: int, form: str, longest: int = 160) -> Prompts:
    """One request's prompts: a head, titles of about 19 tokens (6 to 45), the suffix."""
    head = rng.integers(1000, 150000, HEADS[form]).astype(np.int32)
    suffix = rng.integers(1000, 150000, SUFFIX).astype(np.int32)
    room = longest - len(head) - len(suffix)
    lengths = np.minimum(np.clip(rng.normal(19.3, 5.0, documents).round(), 6, 45), room).astype(np.int32)
    bodies = [np.concatenate([rng.integers(1000, 150000, n).astype(np.int32), suffix]) for n in lengths]
    return Prompts(head, np.concatenate(bodies), lengths + np.int32(SUFFIX))


def product_flops(config: ModelConfig, tokens: int, documents: int) -> float:
    """Operations of the matrix products, with the last layer as it is computed."""
    q, kv, hidden = config.query_size, config.kv_size, config.hidden
    rest = q * hidden * 2 + 3 * config.intermediate * hidden
    full = rest + 2 * kv * hidden
    return 2.0 * (tokens * ((config.layers - 1) * full + 2 * kv * hidden) + documents * rest)


def full_flops(config: ModelConfig, tokens: int) -> float:
    """The same if the last layer were computed for all tokens: what the project's floor counts."""
    per_layer = config.hidden * (2 * config.query_size + 2 * config.kv_size + 3 * config.intermediate)
    return 2.0 * tokens * config.layers * per_layer


def median_ms(function: Callable[[], object], repeat: int = 15, warmup: int = 3) -> float:
    """Median device time of `function` in milliseconds, by events."""
    for _ in range(warmup):
        function()
    times = []
    for _ in range(repeat):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        function()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return float(np.median(times))
