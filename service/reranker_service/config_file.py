"""Reads the YAML file and finds its unknown keys, before any value is looked at.

Kept apart from the settings models, because a typing error in a key is answered with the full path of that key, the
nearest known one and all the others, which a general validation message does not give.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RERANK_PATH = "services.rerank"
BACKENDS_PATH = f"{RERANK_PATH}.backends"


class ConfigError(ValueError):
    """The configuration can't be used. `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


def read_yaml(path: Path) -> Any:
    """The document in `path`, without aliases or types beyond plain YAML.

    Raises:
        ConfigError: the file is missing, unreadable, or no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: no such file; name the configuration with RERANKER_CONFIG, or set RERANKER_MODEL_NAME"]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: can't be read ({error})"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: not valid YAML: {' '.join(str(error).split())}"]) from error


@dataclass(frozen=True, slots=True)
class Document:
    """The document's parts, their values not looked at yet; what is absent is None or empty."""

    backend: Any
    blocks: dict[str, dict[str, Any]]
    sections: dict[str, dict[str, Any]]


def split(
    document: Any,
    path: Path,
    *,
    backend_names: Sequence[str],
    backend_keys: Sequence[str],
    sections: Mapping[str, Sequence[str]],
) -> Document:
    """Take a document apart. `sections` has the known keys of each section beside `backends`.

    Raises:
        ConfigError: a key is unknown, or a section is not a mapping.
    """
    check = _Checker(path)
    root = check.mapping(document, "", ("services",))
    services = check.mapping(root.get("services"), "services", ("rerank",))
    rerank = check.mapping(services.get("rerank"), RERANK_PATH, ("backend", "backends", *sections))
    found = {name: check.mapping(rerank.get(name), f"{RERANK_PATH}.{name}", keys) for name, keys in sections.items()}
    blocks = check.mapping(rerank.get("backends"), BACKENDS_PATH, backend_names)
    checked = {name: check.mapping(block, f"{BACKENDS_PATH}.{name}", backend_keys) for name, block in blocks.items()}
    if check.problems:
        raise ConfigError(check.problems)
    return Document(backend=rerank.get("backend"), blocks=checked, sections=found)


def suggest(key: str, known: Sequence[str]) -> str:
    """What to write instead of an unknown key: the nearest known one, if any is near, and all that are known."""
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"{hint}Allowed: {', '.join(known)}"


class _Checker:
    """Collects every problem of a document, so that one start shows all of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []

    def mapping(self, value: Any, where: str, known: Sequence[str]) -> dict[str, Any]:
        """`value` as a mapping (nothing is an empty one), with a problem noted for each key that is not known."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"{self._path}: {where or 'the document'}: must be a mapping, not {value!r}")
            return {}
        for key in value:
            if key not in known:
                full = f"{where}.{key}" if where else str(key)
                self.problems.append(f"{self._path}: {full}: unknown key. {suggest(str(key), known)}")
        return {key: content for key, content in value.items() if key in known}
