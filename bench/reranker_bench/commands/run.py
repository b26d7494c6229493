"""`reranker-bench run`: wait for the server, measure it, print the table, write the results."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from reranker_bench import report
from reranker_bench.arguments import (
    METHOD,
    Commands,
    add_asked,
    add_method,
    add_output,
    add_server,
    add_wait,
)
from reranker_bench.console import say
from reranker_bench.health import NotReadyError, wait_until_ready
from reranker_bench.measuring import measure, order_of
from reranker_bench.results import SUMMARY_VERSION, Results, termination_summary
from reranker_bench.statuses import INTERRUPTED, LOST, NOT_READY, OK, USAGE


def add(commands: Commands) -> None:
    """Its flags."""
    command = commands.add_parser("run", help="warm up, time the requests, print the table", description=METHOD)
    command.set_defaults(command=execute)
    add_asked(command)
    add_method(command)
    add_server(command)
    add_wait(command)
    output = add_output(command)
    output.add_argument(
        "--json-summary-out",
        type=Path,
        metavar="FILE",
        help="write the results with all raw times; `-`: as the last line of stdout, for whoever has only the log",
    )
    output.add_argument(
        "--termination-log",
        type=Path,
        metavar="FILE",
        help="write one line of JSON, at most 4096 bytes, there (in a Pod: /dev/termination-log)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Do all of it; returns the exit status (see cli.py)."""
    try:
        order = order_of(arguments)
        check_writable(None if _to_stdout(arguments) else arguments.json_summary_out, arguments.termination_log)
        health = wait_until_ready(
            arguments.url,
            wait_s=arguments.wait,
            backend=arguments.expect_backend,
            instruction_format=arguments.expect_instruction_format,
            on_poll=say_once(),
        )
    except (ValueError, OSError) as error:
        return _fail(arguments, USAGE, str(error))
    except NotReadyError as error:
        return _fail(arguments, NOT_READY, str(error))
    results = measure(order, health)
    written = _publish(results, arguments)
    status = status_of(results, allow_errors=arguments.allow_errors)
    return status if written or status != OK else USAGE


def status_of(results: Results, *, allow_errors: bool) -> int:
    """The exit status that a run comes to, and a word on stderr where samples were lost."""
    if results.interrupted:
        return INTERRUPTED
    if results.lost:
        kinds = ", ".join(f"{count} {reason}" for reason, count in results.lost_by_reason().items())
        say(f"reranker-bench: {results.lost} lost samples ({kinds})" + (", allowed" if allow_errors else ""))
        return OK if allow_errors else LOST
    return OK


def check_writable(*paths: Path | None) -> None:
    """Find out before an hour of measuring, not after it; nothing is created yet.

    Raises:
        OSError: if a file can't be written there.
    """
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise OSError(f"can't write {path}: it is a folder")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise OSError(f"can't write {path}: no such folder, or not permitted")


def say_once() -> Callable[[str], None]:
    """Tell what is missing when it changes, not once a second."""
    last = ""

    def on_poll(missing: str) -> None:
        nonlocal last
        if missing != last:
            say(f"waiting: {missing}")
            last = missing

    return on_poll


def _publish(results: Results, arguments: argparse.Namespace) -> bool:
    """Files first: a closed terminal must not cost the figures, nor must a full disk; whether all could be written."""
    written = True
    if arguments.termination_log is not None:
        summary = termination_summary(results).encode()
        written &= _try_to(arguments.termination_log, lambda path: path.write_bytes(summary))
    if arguments.json_summary_out is not None and not _to_stdout(arguments):
        written &= _try_to(arguments.json_summary_out, results.write)
    if sys.stdout.isatty():
        Console().print(report.terminal([results]))
    else:
        sys.stdout.write(report.markdown([results]))
    if _to_stdout(arguments):
        sys.stdout.write(results.model_dump_json() + "\n")
    sys.stdout.flush()
    return written


def _try_to(path: Path, write: Callable[[Path], object]) -> bool:
    """Write; whether that could be done, and a word on stderr where it could not."""
    try:
        write(path)
    except OSError as error:
        say(f"reranker-bench: can't write {path}: {error.strerror or error}")
        return False
    return True


def _to_stdout(arguments: argparse.Namespace) -> bool:
    return str(arguments.json_summary_out) == "-"


def _fail(arguments: argparse.Namespace, status: int, message: str) -> int:
    """Say why nothing was measured, also where a Job's owner looks."""
    say(f"reranker-bench: {message}")
    if arguments.termination_log is not None:
        summary = json.dumps({"schema_version": SUMMARY_VERSION, "error": message[:1000]}, ensure_ascii=False)
        with contextlib.suppress(OSError):  # that it can't be written may be the very message, which has been said
            arguments.termination_log.write_text(summary, encoding="utf-8")
    return status
