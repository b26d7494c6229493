"""`reranker-bench report`: tables, a page and a picture out of results files, old ones too, or out of the cluster."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reranker_bench import charts, comparison_report, html_report, report
from reranker_bench.arguments import Commands
from reranker_bench.comparing import CompareError, Comparison, compare
from reranker_bench.console import say
from reranker_bench.files import replace_text
from reranker_bench.from_cluster import ClusterError, Found, read_cluster
from reranker_bench.reading import ResultsFileError, read_all
from reranker_bench.results import Results
from reranker_bench.statuses import OK, USAGE


def add(commands: Commands) -> None:
    """Its flags."""
    summary = (
        "Make a report of results files, of folders of them, or of a RerankerBenchmark in the cluster. Without a file "
        "to write, Markdown goes to stdout. The page holds its plots in itself and needs nothing from elsewhere."
    )
    command = commands.add_parser("report", help="Markdown, HTML with plots, and PNG of results", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("results", type=Path, nargs="*", metavar="FILE|FOLDER")
    command.add_argument("--from-cluster", metavar="NAME", help="a RerankerBenchmark, read by kubectl")
    command.add_argument("--namespace", metavar="NAME", help="of the RerankerBenchmark (default: kubectl's)")
    command.add_argument("--context", metavar="NAME", help="of kubectl (default: its present one)")
    command.add_argument("--baseline", type=Path, metavar="FILE|FOLDER", help="older results, for a comparison")
    command.add_argument("--markdown", type=Path, metavar="FILE")
    command.add_argument("--html", type=Path, metavar="FILE")
    command.add_argument("--png", type=Path, metavar="FILE")
    command.add_argument("--title", default="Reranker benchmark", help="of the page (default %(default)r)")


def execute(arguments: argparse.Namespace) -> int:
    """Read, then write what was asked for."""
    if bool(arguments.results) == bool(arguments.from_cluster):
        say("reranker-bench: give results files, or --from-cluster NAME")
        return USAGE
    try:
        found = _found(arguments)
        runs = found.runs if found is not None else read_all(arguments.results)
        comparison = compare(read_all([arguments.baseline]), runs) if arguments.baseline else None
    except (ClusterError, ResultsFileError, CompareError) as error:
        say(f"reranker-bench: {error}")
        return USAGE
    text = _text(found, runs) + ("\n" + comparison_report.markdown(comparison) if comparison else "")
    try:
        if arguments.markdown:
            replace_text(arguments.markdown, text.encode())
        if arguments.html:
            replace_text(arguments.html, html_report.page(runs, comparison, arguments.title).encode())
        if arguments.png:
            _picture(runs, comparison, arguments.png)
    except ModuleNotFoundError as error:
        missing = (error.name or "a package").partition(".")[0]
        say(f"reranker-bench: plots need {missing}: pip install 'reranker-operator[plots]'")
        return USAGE
    except OSError as error:
        # Without a file it is the folder for temporary files that nothing can be written to.
        say(f"reranker-bench: can't write {error.filename}: {error.strerror}" if error.filename else f"{error}")
        return USAGE
    if not (arguments.markdown or arguments.html or arguments.png):
        sys.stdout.write(text)
    return OK


def _found(arguments: argparse.Namespace) -> Found | None:
    """What the cluster holds, where it was asked for.

    Raises:
        ClusterError: if it can't be read, or holds too little for what is to be made of it.
    """
    if not arguments.from_cluster:
        return None
    found = read_cluster(arguments.from_cluster, arguments.namespace, arguments.context)
    if not found.runs and (arguments.html or arguments.png or arguments.baseline):
        raise ClusterError("plots and comparisons need raw results, and there are none: " + "; ".join(found.notes))
    return found


def _text(found: Found | None, runs: list[Results]) -> str:
    """The report in Markdown; of a benchmark, scenarios without raw results have their status's figures at least."""
    if found is None:
        return report.markdown(runs)
    parts = [] if found.whole and runs else ["\n".join(["Mean latency (ms), by its status", "", *found.table]) + "\n"]
    parts += [report.markdown(runs)] if runs else []
    parts += ["".join(f"* {note}\n" for note in found.notes)] if found.notes else []
    return "\n".join(parts)


def _picture(runs: list[Results], comparison: Comparison | None, path: Path) -> None:
    draws = [(charts.latency(runs), 4.2), (charts.throughput(runs), 3.6)]
    if comparison is not None:
        draws.append((charts.changes(comparison), html_report.change_size(comparison)["height"]))
    size = html_report.distribution_size(runs)
    draws.append((charts.distributions(runs), size["height"]))
    charts.png(draws, path, width=size["width"])
