"""`reranker-bench matrix`: measure every backend with every instruction format on one host, and print one table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reranker_bench import report
from reranker_bench.argument_types import names, seconds
from reranker_bench.arguments import Commands, add_method, add_output, add_server, add_sizes
from reranker_bench.connection import get
from reranker_bench.console import say
from reranker_bench.matrix import Host, Summary, run_matrix
from reranker_bench.measuring import measure, order_of
from reranker_bench.patching import PatchError
from reranker_bench.scenarios import BACKENDS, FORMATS, scenarios
from reranker_bench.statuses import INTERRUPTED, LOST, OK, USAGE
from reranker_bench.supervising import ChildSupervisor, CommandSupervisor

SUMMARY = (
    "For each scenario: set backend and format in the service's YAML (nothing else in it changes), restart the "
    "service, wait until /health shows the wanted pair, measure as `run` does. A scenario that fails is recorded and "
    "the next one runs. At the end the file is as it was."
)


def add(commands: Commands) -> None:
    """Its flags."""
    command = commands.add_parser("matrix", help="measure all backends and formats of a host", description=SUMMARY)
    command.set_defaults(command=execute)
    command.add_argument("config", type=Path, metavar="CONFIG", help="the service's YAML file")
    add_sizes(command)
    host = command.add_argument_group("the service")
    how = host.add_mutually_exclusive_group(required=True)
    how.add_argument("--restart", metavar="COMMAND", help="restarts it, e.g. 'systemctl restart reranker'")
    how.add_argument(
        "--serve", metavar="COMMAND", help="runs it in the foreground; it is our child and ends with each scenario"
    )
    host.add_argument(
        "--ready", type=seconds, default=900.0, metavar="SECONDS", help="from restart to /health (default %(default)g)"
    )
    command.add_argument(
        "--backends", type=names, default=BACKENDS, metavar="A,B", help=f"(default {','.join(BACKENDS)})"
    )
    command.add_argument("--formats", type=names, default=FORMATS, metavar="A,B", help=f"(default {','.join(FORMATS)})")
    add_method(command)
    add_server(command)
    output = add_output(command)
    output.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="results, logs, summary and table come here"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Do all of it; returns the exit status."""
    try:
        order = order_of(arguments)
        arguments.out.mkdir(parents=True, exist_ok=True)
        if arguments.serve:
            _check_free(arguments.url)
        every = scenarios(arguments.backends, arguments.formats)
        summary, measured = run_matrix(
            _host(arguments), every, arguments.out, lambda health: measure(order, health), say
        )
    except PatchError as error:
        say(f"reranker-bench: {arguments.config}: {error}")
        return USAGE
    except (ValueError, OSError) as error:
        say(f"reranker-bench: {error}")
        return USAGE
    text = report.markdown(measured) + "\n" + scenarios_table(summary)
    (arguments.out / "report.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return _status(summary, allow_errors=arguments.allow_errors)


def scenarios_table(summary: Summary) -> str:
    """One line a scenario, and how many samples there are of how many."""
    header = ["backend", "instruction_format", "status", "samples", "lost", "ready after s", "error"]
    rows = [
        [
            outcome.backend,
            outcome.instruction_format,
            outcome.status,
            str(outcome.samples),
            str(outcome.lost),
            "-" if outcome.seconds_to_ready is None else f"{outcome.seconds_to_ready:.1f}",
            outcome.error or "",
        ]
        for outcome in summary.outcomes
    ]
    samples = sum(outcome.samples for outcome in summary.outcomes)
    lost = sum(outcome.lost for outcome in summary.outcomes)
    good = sum(outcome.status == "measured" for outcome in summary.outcomes)
    lines = report.markdown_table(header, rows)
    total = f"{good} of {len(summary.outcomes)} scenarios measured, {samples} samples, {lost} lost"
    return "\n".join(["Scenarios", "", *lines, "", total]) + "\n"


def _host(arguments: argparse.Namespace) -> Host:
    supervisor = ChildSupervisor(arguments.serve) if arguments.serve else None
    return Host(
        config=arguments.config,
        url=arguments.url,
        supervisor=supervisor or CommandSupervisor(arguments.restart, arguments.ready),
        ready_s=arguments.ready,
        restart_after=supervisor is None,
    )


def _check_free(url: str) -> None:
    """Whatever answers there now would be measured instead of the child."""
    try:
        get(url, "/health")
    except OSError:
        return
    raise ValueError(f"something answers at {url} already; stop it, or give --restart instead of --serve")


def _status(summary: Summary, *, allow_errors: bool) -> int:
    if summary.interrupted:
        return INTERRUPTED
    fine = {"measured", "lost_samples"} if allow_errors else {"measured"}
    return OK if all(outcome.status in fine for outcome in summary.outcomes) else LOST
