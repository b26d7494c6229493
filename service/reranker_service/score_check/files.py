"""Reads golden sets and baselines."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reranker_service.score_check.golden import Baseline, GoldenSet

log = logging.getLogger(__name__)

# Beside config.json in a model's folder: the golden set that the model brings.
OWN_GOLDEN_SET = "golden.json"


class GoldenSetError(ValueError):
    """A golden set can't be used; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class GoldenFile:
    """A golden set and the SHA-256 of its file, in hexadecimal."""

    golden: GoldenSet
    sha256: str


def read_golden_set(path: Path) -> GoldenFile:
    """Read and check a golden set.

    Raises:
        GoldenSetError: it is missing, unreadable or malformed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GoldenSetError(f"{path}: can't be read ({error.strerror})") from error
    try:
        return GoldenFile(GoldenSet.model_validate_json(content), hashlib.sha256(content).hexdigest())
    except ValidationError as error:
        raise GoldenSetError(f"{path}: {_first_fault(error)}") from error


def read_baseline(path: Path) -> Baseline | str | None:
    """A baseline; None where there is no file yet; a CamelCase reason where it can't be used."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("the baseline is ignored: %s: can't be read (%s)", path, error.strerror)
        return "BaselineUnreadable"
    try:
        return Baseline.model_validate_json(content)
    except ValidationError as error:
        log.warning("the baseline is ignored: %s: %s", path, _first_fault(error))
        return "BaselineInvalid"


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
