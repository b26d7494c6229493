"""`reranker-bench compare OLD NEW`: what got faster, what slower, and what is only chance."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reranker_bench import comparison_report
from reranker_bench.argument_types import confidence, percent
from reranker_bench.arguments import Commands
from reranker_bench.comparing import CompareError, compare
from reranker_bench.console import say
from reranker_bench.reading import ResultsFileError, read_all
from reranker_bench.statuses import LOST, OK, USAGE


def add(commands: Commands) -> None:
    """Its flags."""
    summary = (
        "Set new results beside old ones: a file each, or a folder each as `matrix` writes it. Runs of the same "
        "backend and format are paired; two single runs are a pair whatever they measured. Refused when GPU, model, "
        "max_model_len, sizes, titles or load differ."
    )
    command = commands.add_parser("compare", help="say what got faster and what slower", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("old", type=Path, metavar="OLD")
    command.add_argument("new", type=Path, metavar="NEW")
    command.add_argument("--force", action="store_true", help="compare what was not measured alike, and say so")
    command.add_argument(
        "--fail-if-slower",
        type=percent,
        metavar="PERCENT",
        help="exit 1 when a cell is shown to be slower, and its mean by more than this, e.g. 5%%",
    )
    command.add_argument(
        "--confidence", type=confidence, default=0.95, metavar="PERCENT", help="of the intervals (default 95%%)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    try:
        old, new = read_all([arguments.old]), read_all([arguments.new])
        comparison = compare(old, new, arguments.confidence)
    except (ResultsFileError, CompareError) as error:
        say(f"reranker-bench: {error}")
        return USAGE
    if comparison.differences and not arguments.force:
        say("reranker-bench: not measured alike (--force compares all the same):")
        for difference in comparison.differences:
            say(f"  {difference}")
        return USAGE
    sys.stdout.write(comparison_report.markdown(comparison))
    sys.stdout.flush()
    if arguments.fail_if_slower is None:
        return OK
    slower = comparison.slower_than(arguments.fail_if_slower)
    for pair, cell in slower:
        say(f"slower than allowed: {pair.name}, n={cell.documents}: {cell.percent:+.1f} %")
    return LOST if slower else OK
