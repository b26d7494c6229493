"""The command line.

Exit statuses: 0 every sample was measured; 1 samples were lost (and --allow-errors was not given); 2 wrong usage, or a
file that can't be read or written; 3 the server was not ready, or is not the one that was expected; 130 interrupted
(what had been measured is printed and written).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from reranker_bench import __version__
from reranker_bench.arguments import add_run, add_titles
from reranker_bench.commands import run, titles


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status: int = arguments.command(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is left to say, and Python must not say so at exit either.
        sys.stdout = None
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="reranker-bench",
        description="Measure the latency of a reranker over HTTP by the number of documents.",
        epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    add_run(commands, run.execute)
    add_titles(commands, titles.execute)
    return top


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A Job that is deleted gets SIGTERM: it keeps what it measured, just as at Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
