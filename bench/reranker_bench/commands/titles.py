"""`reranker-bench titles`: write the titles that a run would draw from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reranker_bench.argument_types import positive
from reranker_bench.arguments import Commands
from reranker_bench.console import say
from reranker_bench.statuses import OK, USAGE
from reranker_bench.titles import BUILT_IN_COUNT, BUILT_IN_SEED, TitlesError, generate


def add(commands: Commands) -> None:
    """Its flags."""
    summary = "write made-up product titles, one a line; the same count and seed give the same titles everywhere"
    command = commands.add_parser("titles", help="write made-up product titles", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("--output", type=Path, metavar="FILE", help="(default: stdout)")
    command.add_argument("--count", type=positive, default=BUILT_IN_COUNT, metavar="N", help="(default %(default)s)")
    command.add_argument("--seed", type=int, default=BUILT_IN_SEED, help="(default %(default)s)")


def execute(arguments: argparse.Namespace) -> int:
    """Write them to --output, or to stdout."""
    try:
        made = generate(arguments.count, arguments.seed)
    except TitlesError as error:
        say(f"reranker-bench: {error}")
        return USAGE
    lines = ("\n".join(made.texts) + "\n").encode()
    if arguments.output is None:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
        return OK
    try:
        arguments.output.write_bytes(lines)
    except OSError as error:
        say(f"reranker-bench: can't write {arguments.output}: {error.strerror}")
        return USAGE
    say(f"{len(made.texts)} titles in {arguments.output}")
    return OK
