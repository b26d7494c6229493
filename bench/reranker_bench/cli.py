"""The command line.

Exit statuses: 0 all is well; 1 samples were lost (and --allow-errors was not given), a scenario failed, a cell is
slower than allowed, or a check found something wrong; 2 wrong usage, or a file that can't be read or written; 3 the
server was not ready, or is not the one that was expected; 130 interrupted (what had been measured is printed and kept).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from reranker_bench import __version__
from reranker_bench.commands import compare, evaluate, matrix, overhead, patch_config, report, run, smoke, titles


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
    for module in (run, matrix, compare, report, smoke, evaluate, patch_config, titles, overhead):
        module.add(commands)
    return top


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A Job that is deleted gets SIGTERM: it keeps what it measured, just as at Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
