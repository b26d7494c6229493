"""Reads results files of every version there has been: old figures stay comparable for ever.

A file of an older version is brought up to the next one step by step; what that version did not know becomes None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reranker_bench.environment import ServerInfo
from reranker_bench.results import Results

KIND = "reranker-bench/run"


class ResultsFileError(ValueError):
    """A file that can't be read as results; the message names the file and why."""


def read_results(path: Path) -> Results:
    """Read one results file.

    Raises:
        ResultsFileError: if it isn't one, or is of a version newer than this tool.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsFileError(f"can't read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ResultsFileError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ResultsFileError(f"{path} is not a results file of reranker-bench (its `kind` is not {KIND!r})")
    try:
        return Results.model_validate(upgrade(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsFileError(f"{path}: {where}: {first['msg']}") from error
    except ValueError as error:
        raise ResultsFileError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ResultsFileError(f"{path} lacks what its schema_version has: {error!r}") from error


def read_all(paths: Iterable[Path]) -> list[Results]:
    """Read files, and of folders all their results files in the order of their names.

    Raises:
        ResultsFileError: as `read_results`, and for a folder without any.
    """
    return [read_results(file) for path in paths for file in _files(path)]


def upgrade(document: dict[str, Any]) -> dict[str, Any]:
    """The document as the newest version has it.

    Raises:
        ValueError: for a version that is not known.
    """
    newest = Results.model_fields["schema_version"].default
    version = document.get("schema_version")
    while version != newest:
        step = _STEPS.get(version) if type(version) is int else None
        if step is None:
            raise ValueError(f"schema_version {version!r} is not known here (1 to {newest} are): use a newer tool")
        document = step(document)
        version = document["schema_version"]
    return document


def _from_1(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 added the pace, the dialect, the server's facts and counters, and throughput."""
    health = document["environment"]["health"]
    pace = {"dialect": "rerank", "concurrency": 1, "rate": None, "arrivals": None, "duration_s": None}
    unknown = {"wall_s": None, "requests_per_s": None, "documents_per_s": None, "start_delay_max_ms": None}
    return document | {
        "schema_version": 2,
        "parameters": document["parameters"] | pace,
        "environment": document["environment"] | {"server": ServerInfo.of(health).model_dump()},
        "counters": {},
        "cells": [cell | unknown for cell in document["cells"]],
    }


_STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}


def _files(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.glob("*.json") if _is_results(file))
    if not files:
        raise ResultsFileError(f"{path} holds no results file (*.json)")
    return files


def _is_results(file: Path) -> bool:
    """Other JSON may lie beside results (a matrix's summary); a broken file may not hide among it."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return isinstance(document, dict) and document.get("kind") == KIND
