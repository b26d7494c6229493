"""`reranker-bench patch-config`: set the backend and the instruction format in the service's YAML, and nothing else."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from reranker_bench.arguments import Commands
from reranker_bench.console import say
from reranker_bench.files import replace_text
from reranker_bench.patching import PatchError, Scalar, parse_assignment, patch
from reranker_bench.scenarios import scenario_values
from reranker_bench.statuses import OK, USAGE


def add(commands: Commands) -> None:
    """Its flags."""
    summary = "set values in the service's YAML file; comments, order, quotes and line ends stay as they are"
    command = commands.add_parser("patch-config", help="set backend and format in a YAML file", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--backend", metavar="NAME", help="services.rerank.backend")
    command.add_argument("--instruction-format", metavar="NAME", help="of that backend (or of the one in the file)")
    command.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="any other value, by its dotted path"
    )
    command.add_argument("--dry-run", action="store_true", help="show the difference, write nothing")


def execute(arguments: argparse.Namespace) -> int:
    """Patch, show the difference, write."""
    path: Path = arguments.file
    try:
        before = read_config(path)
        values: dict[str, Scalar] = scenario_values(before, arguments.backend, arguments.instruction_format)
        values |= dict(parse_assignment(assignment) for assignment in arguments.set)
        after = patch(before, values)
    except PatchError as error:
        say(f"reranker-bench: {path}: {error}")
        return USAGE
    sys.stdout.writelines(_difference(before, after, str(path)))
    if after == before:
        say(f"{path}: nothing to change")
    elif not arguments.dry_run:
        try:
            replace_text(path, after.encode())
        except OSError as error:
            say(f"reranker-bench: can't write {path}: {error.strerror}")
            return USAGE
    return OK


def read_config(path: Path) -> str:
    """The file's text with its own line ends.

    Raises:
        PatchError: if it can't be read.
    """
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise PatchError(f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PatchError(f"is not UTF-8: {error.reason} at byte {error.start}") from error


def _difference(before: str, after: str, name: str) -> list[str]:
    old, new = (text.replace("\r\n", "\n").splitlines() for text in (before, after))
    return [line + "\n" for line in difflib.unified_diff(old, new, name, name, lineterm="", n=1)]
