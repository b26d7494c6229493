"""`reranker-bench titles`: write the titles that a run would draw from."""

from __future__ import annotations

import argparse
import sys

from reranker_bench.console import say
from reranker_bench.titles import TitlesError, generate


def execute(arguments: argparse.Namespace) -> int:
    """Write them to --output, or to stdout."""
    try:
        made = generate(arguments.count, arguments.seed)
    except TitlesError as error:
        say(f"reranker-bench: {error}")
        return 2
    lines = ("\n".join(made.texts) + "\n").encode()
    if arguments.output is None:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
        return 0
    try:
        arguments.output.write_bytes(lines)
    except OSError as error:
        say(f"reranker-bench: can't write {arguments.output}: {error.strerror}")
        return 2
    say(f"{len(made.texts)} titles in {arguments.output}")
    return 0
