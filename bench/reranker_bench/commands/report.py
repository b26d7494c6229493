"""`reranker-bench report`: tables, a page and a picture out of results files, old ones too."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reranker_bench import charts, comparison_report, html_report, report
from reranker_bench.arguments import Commands
from reranker_bench.comparing import CompareError, Comparison, compare
from reranker_bench.console import say
from reranker_bench.files import replace_text
from reranker_bench.reading import ResultsFileError, read_all
from reranker_bench.results import Results
from reranker_bench.statuses import OK, USAGE


def add(commands: Commands) -> None:
    """Its flags."""
    summary = (
        "Make a report of results files, or of folders of them. Without a file to write, Markdown goes to stdout. The "
        "page holds its plots in itself and needs nothing from elsewhere."
    )
    command = commands.add_parser("report", help="Markdown, HTML with plots, and PNG of results", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("results", type=Path, nargs="+", metavar="FILE|FOLDER")
    command.add_argument("--baseline", type=Path, metavar="FILE|FOLDER", help="older results, for a comparison")
    command.add_argument("--markdown", type=Path, metavar="FILE")
    command.add_argument("--html", type=Path, metavar="FILE")
    command.add_argument("--png", type=Path, metavar="FILE")
    command.add_argument("--title", default="Reranker benchmark", help="of the page (default %(default)r)")


def execute(arguments: argparse.Namespace) -> int:
    """Read, then write what was asked for."""
    try:
        runs = read_all(arguments.results)
        comparison = compare(read_all([arguments.baseline]), runs) if arguments.baseline else None
    except (ResultsFileError, CompareError) as error:
        say(f"reranker-bench: {error}")
        return USAGE
    text = report.markdown(runs) + ("\n" + comparison_report.markdown(comparison) if comparison else "")
    try:
        if arguments.markdown:
            replace_text(arguments.markdown, text.encode())
        if arguments.html:
            replace_text(arguments.html, html_report.page(runs, comparison, arguments.title).encode())
        if arguments.png:
            _picture(runs, comparison, arguments.png)
    except OSError as error:
        # Without a file it is the folder for temporary files that nothing can be written to.
        say(f"reranker-bench: can't write {error.filename}: {error.strerror}" if error.filename else f"{error}")
        return USAGE
    if not (arguments.markdown or arguments.html or arguments.png):
        sys.stdout.write(text)
    return OK


def _picture(runs: list[Results], comparison: Comparison | None, path: Path) -> None:
    draws = [(charts.latency(runs), 4.2), (charts.throughput(runs), 3.6)]
    if comparison is not None:
        draws.append((charts.changes(comparison), html_report.change_size(comparison)["height"]))
    size = html_report.distribution_size(runs)
    draws.append((charts.distributions(runs), size["height"]))
    charts.png(draws, path, width=size["width"])
