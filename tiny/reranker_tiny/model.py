"""The model's shape, its seeded token embeddings and the weights that are shipped. Needs no torch.

Only what was trained is shipped: the layers, and the embedding rows of the tokens that occur in the catalogue's
texts. All other rows are drawn from a seed. They come from raw PCG64 bits by exact arithmetic, because a normal
distribution's rounding may differ between platforms and library versions and the ranking would drift with it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

Array: TypeAlias = npt.NDArray[Any]
Weights: TypeAlias = dict[str, Array]

VOCABULARY = 151669
HIDDEN = 128
INTERMEDIATE = 384
LAYERS = 3
HEADS = 8
KV_HEADS = 4
HEAD_DIM = 32
ROPE_THETA = 10000.0
RMS_NORM_EPS = 1e-6
MAX_POSITIONS = 2048
END_OF_TEXT_ID = 151643
END_OF_TURN_ID = 151645

EMBEDDING_SEED = 20250601
EMBEDDING_KEY = "model.embed_tokens.weight"
ROW_IDS_KEY = "embedding.ids"
ROWS_KEY = "embedding.rows"
TRAINING_KEY = "training"
WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"
# The golden set, beside the shipped weights and beside config.json in a checkpoint folder.
GOLDEN_NAME = "golden.json"
LAYERS_FILE = "layers.safetensors"
ROWS_FILE = "embedding.safetensors"


def config() -> dict[str, object]:
    """The checkpoint's config.json, in the keys of the published Qwen3 models."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": END_OF_TEXT_ID,
        "eos_token_id": END_OF_TURN_ID,
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": MAX_POSITIONS,
        "max_window_layers": LAYERS,
        "model_type": "qwen3",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": RMS_NORM_EPS,
        "rope_scaling": None,
        "rope_theta": ROPE_THETA,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": VOCABULARY,
    }


def layer_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the checkpoint but the embedding, as transformers names them."""
    shapes: dict[str, tuple[int, ...]] = {"model.norm.weight": (HIDDEN,)}
    for index in range(LAYERS):
        layer = f"model.layers.{index}."
        shapes |= {
            layer + "input_layernorm.weight": (HIDDEN,),
            layer + "post_attention_layernorm.weight": (HIDDEN,),
            layer + "self_attn.q_norm.weight": (HEAD_DIM,),
            layer + "self_attn.k_norm.weight": (HEAD_DIM,),
            layer + "self_attn.q_proj.weight": (HEADS * HEAD_DIM, HIDDEN),
            layer + "self_attn.k_proj.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
            layer + "self_attn.v_proj.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
            layer + "self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD_DIM),
            layer + "mlp.gate_proj.weight": (INTERMEDIATE, HIDDEN),
            layer + "mlp.up_proj.weight": (INTERMEDIATE, HIDDEN),
            layer + "mlp.down_proj.weight": (HIDDEN, INTERMEDIATE),
        }
    return shapes


def seeded_embedding() -> Array:
    """The embedding before training: float16 of shape (VOCABULARY, HIDDEN), uniform in (-1, 1).

    Each value is (byte - 127.5) / 128, which float16 holds exactly. The rows are as large as what the layers add to
    them; much smaller ones drown, and training does not get going.
    """
    words = np.random.PCG64(EMBEDDING_SEED).random_raw(VOCABULARY * HIDDEN // 8)
    codes = words.astype("<u8").view(np.uint8).reshape(VOCABULARY, HIDDEN)
    return ((codes.astype(np.float32) - 127.5) / 128).astype(np.float16)


def full_weights(shipped: Weights) -> Weights:
    """The checkpoint's tensors in float16: the shipped layers, and the embedding with the shipped rows put in."""
    embedding = seeded_embedding()
    embedding[shipped[ROW_IDS_KEY]] = shipped[ROWS_KEY]
    return {name: shipped[name] for name in layer_shapes()} | {EMBEDDING_KEY: embedding}


def load_shipped(folder: Path = WEIGHTS_FOLDER) -> tuple[Weights, dict[str, str]]:
    """Read the shipped weights and their training metadata.

    Raises:
        ValueError: a tensor is missing or has another shape than this code's model.
    """
    weights: Weights = {}
    metadata: dict[str, str] = {}
    for name in (LAYERS_FILE, ROWS_FILE):
        with safe_open(folder / name, framework="numpy") as file:
            metadata |= json.loads((file.metadata() or {}).get(TRAINING_KEY, "{}"))
            weights |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for key, shape in layer_shapes().items():
        if key not in weights or weights[key].shape != shape:
            raise ValueError(f"{folder / LAYERS_FILE}: {key} is missing or not of shape {shape}")
    if weights[ROWS_KEY].shape != (len(weights[ROW_IDS_KEY]), HIDDEN):
        raise ValueError(f"{folder / ROWS_FILE}: ids and rows do not belong together")
    return weights, metadata


def save_shipped(weights: Weights, metadata: dict[str, str], folder: Path = WEIGHTS_FOLDER) -> None:
    """Write trained weights (layers, row ids, rows) as float16, in two files that each stay below 2 MiB."""
    folder.mkdir(parents=True, exist_ok=True)
    layers = {name: weights[name].astype(np.float16) for name in layer_shapes()}
    rows = {ROW_IDS_KEY: weights[ROW_IDS_KEY].astype(np.int32), ROWS_KEY: weights[ROWS_KEY].astype(np.float16)}
    # In one entry: several would be written in an order that changes from run to run.
    about = {TRAINING_KEY: json.dumps(metadata, sort_keys=True)}
    save_file(layers, folder / LAYERS_FILE, metadata=about)
    save_file(rows, folder / ROWS_FILE, metadata=about)


def fingerprint(weights: Weights) -> str:
    """A sha256 over names, shapes and values: equal for equal weights, whatever file they came from."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name}{weights[name].dtype}{weights[name].shape}".encode())
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()
