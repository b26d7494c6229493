"""Writes the complete Hugging Face checkpoint folder that the service loads. Needs no torch: image builds run it."""

import json
import os
import tempfile
from pathlib import Path

from safetensors.numpy import save_file

from reranker_tiny import model
from reranker_tiny.tokenizer import ensure_tokenizer, verify

WEIGHTS_NAME = "model.safetensors"
GENERATION_CONFIG = {
    "bos_token_id": model.END_OF_TEXT_ID,
    "eos_token_id": [model.END_OF_TURN_ID, model.END_OF_TEXT_ID],
    "pad_token_id": model.END_OF_TEXT_ID,
    "do_sample": False,
}
# No chat template: prompts are built as token ids, and a template would suggest otherwise.
TOKENIZER_CONFIG = {
    "add_bos_token": False,
    "add_prefix_space": False,
    "bos_token": None,
    "clean_up_tokenization_spaces": False,
    "eos_token": "<|im_end|>",
    "errors": "replace",
    "model_max_length": model.MAX_POSITIONS,
    "pad_token": "<|endoftext|>",
    "split_special_tokens": False,
    "tokenizer_class": "Qwen2Tokenizer",
    "unk_token": None,
}


def assemble(output: Path, *, weights_folder: Path = model.WEIGHTS_FOLDER, tokenizer: Path | None = None) -> None:
    """Write config, weights and tokenizer into `output`; running it again leaves the same files.

    Args:
        output: the folder, made where it is missing; files of other names in it are left alone.
        weights_folder: where the shipped weights lie.
        tokenizer: a tokenizer.json to use instead of the cached or fetched one; it must be the pinned file.

    Raises:
        TokenizerError: the tokenizer can't be fetched or is another one.
        ValueError: the shipped weights don't fit the model.
    """
    shipped, _ = model.load_shipped(weights_folder)
    tokenizer_json = (tokenizer or ensure_tokenizer()).read_bytes()
    verify(tokenizer_json, str(tokenizer or "tokenizer.json"))
    output.mkdir(parents=True, exist_ok=True)
    _write(output / "tokenizer.json", tokenizer_json)
    _write(output / "tokenizer_config.json", _json(TOKENIZER_CONFIG))
    _write(output / "generation_config.json", _json(GENERATION_CONFIG))
    golden = weights_folder / model.GOLDEN_NAME
    if golden.is_file():  # weights that have just been trained have none yet
        _write(output / model.GOLDEN_NAME, golden.read_bytes())
    with tempfile.TemporaryDirectory(dir=output, prefix=".partial-") as partial:
        file = Path(partial) / WEIGHTS_NAME
        save_file(model.full_weights(shipped), file, metadata={"format": "pt"})
        file.chmod(0o644)
        file.replace(output / WEIGHTS_NAME)
    # Last, so that a folder with a config.json is a complete one.
    _write(output / "config.json", _json(model.config()))


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Replace `path` in one step, so that a server reading the folder never sees half a file."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
        partial.write(content)
        os.fchmod(partial.fileno(), 0o644)
    Path(partial.name).replace(path)
