"""Tells a whole checkpoint from a broken one by its files, before an engine fails on it with an error of its own.

Reads headers only: a download that was cut short, a shard that is missing or a config that is no JSON is found in
milliseconds, and named by its file.
"""

import json
from pathlib import Path
from typing import Any

# A safetensors file begins with the length of its header, 8 bytes; the format allows headers of 100 MB.
LENGTH_BYTES = 8
MOST_HEADER_BYTES = 100_000_000
INDEX = "model.safetensors.index.json"


def fault_of(folder: Path) -> str | None:
    """The first thing that is wrong with a checkpoint's files, or None."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        missing.append("*.safetensors")
    if missing:
        return f"{folder} lacks {', '.join(missing)}: it is no complete checkpoint"
    try:
        config = _object(folder / "config.json")
        wanted = _object(folder / INDEX).get("weight_map", {}) if (folder / INDEX).is_file() else {}
    except ValueError as error:
        return str(error)
    if "model_type" not in config:
        return f"{folder / 'config.json'} has no model_type: it describes no model"
    absent = sorted({str(name) for name in wanted.values()} - {shard.name for shard in shards})
    if absent:
        return f"{folder} lacks {', '.join(absent)}, which {INDEX} names"
    return next(filter(None, map(_fault_of_shard, shards)), None)


def longest_prompt(folder: Path) -> int | None:
    """The most tokens that the model can take, where its configuration says so without anything that extends it."""
    config = _object(folder / "config.json")
    most = config.get("max_position_embeddings")
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    extended = scaling.get("rope_type", scaling.get("type", "default")) != "default"
    return most if isinstance(most, int) and not extended else None


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object")  # noqa: TRY004 - the file is at fault, not the caller
    return content


def _fault_of_shard(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if size < LENGTH_BYTES or length > min(MOST_HEADER_BYTES, size - LENGTH_BYTES):
            return f"{path} is no safetensors file, or cut short: it has {size} bytes"
        try:
            header = json.loads(file.read(length))
            end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return f"{path} has no readable header: it is no safetensors file"
    expected = LENGTH_BYTES + length + int(end)
    return None if size == expected else f"{path} has {size} bytes, but its header describes {expected}: cut short?"
