"""`reranker-bench run`: wait for the server, measure it, print the table, write the results."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from reranker_bench import report
from reranker_bench.console import ConsoleProgress, say
from reranker_bench.draws import Draws
from reranker_bench.health import NotReadyError, wait_until_ready
from reranker_bench.load import RerankClient
from reranker_bench.results import (
    Cell,
    ClientInfo,
    Environment,
    Parameters,
    Results,
    TitlesUsed,
    WarmUp,
    losses,
    now,
    termination_summary,
)
from reranker_bench.runner import Measured, Plan
from reranker_bench.runner import run as measure
from reranker_bench.titles import Titles, TitlesError, generate, read

ALL_MEASURED, LOST, USAGE, NOT_READY, INTERRUPTED = 0, 1, 2, 3, 130


def execute(arguments: argparse.Namespace) -> int:
    """Do all of it; returns the exit status (see cli.py)."""
    plan = Plan(
        documents=arguments.documents,
        repeat=arguments.repeat,
        seed=arguments.seed,
        query=arguments.query,
        warmup_requests=arguments.warmup_requests,
        warmup_documents=arguments.warmup_documents,
    )
    try:
        titles = _titles(arguments.titles, plan)
        _check_writable(arguments.json_summary_out, arguments.termination_log)
        health = wait_until_ready(
            arguments.url,
            wait_s=arguments.wait,
            backend=arguments.expect_backend,
            instruction_format=arguments.expect_instruction_format,
            on_poll=_say_once(),
        )
    except (TitlesError, OSError) as error:
        return _fail(arguments, USAGE, str(error))
    except NotReadyError as error:
        return _fail(arguments, NOT_READY, str(error))
    results = _measure(arguments, plan, titles, health)
    _publish(results, arguments)
    return _status(results, allow_errors=arguments.allow_errors)


def _titles(path: Path | None, plan: Plan) -> Titles:
    titles = generate() if path is None else read(path)
    if titles.repeated:
        say(f"{titles.source}: {titles.repeated} repeated titles left out")
    if len(titles.texts) < plan.largest():
        raise TitlesError(f"{plan.largest()} documents need as many titles; {titles.source} has {len(titles.texts)}")
    return titles


def _measure(arguments: argparse.Namespace, plan: Plan, titles: Titles, health: dict[str, Any]) -> Results:
    draws = Draws(titles.texts, plan.seed)
    started = now()
    with (
        RerankClient(arguments.url, timeout_s=arguments.timeout) as client,
        ConsoleProgress(plan.requests(), quiet=arguments.quiet_runs) as progress,
    ):
        measured = measure(plan, client, draws, progress)
    return Results(
        tag=arguments.tag,
        started_at=started,
        finished_at=now(),
        interrupted=measured.interrupted,
        parameters=Parameters(
            url=arguments.url,
            documents=plan.documents,
            repeat=plan.repeat,
            seed=plan.seed,
            timeout_s=arguments.timeout,
            query=plan.query,
            warmup_requests=plan.warmup_requests,
            warmup_documents=plan.warmup_documents,
        ),
        titles=TitlesUsed(source=titles.source, count=len(titles.texts), sha256=titles.sha256, reused=draws.reused),
        environment=Environment(health=health, client=ClientInfo.here()),
        warmup=WarmUp(requests=len(measured.warmup), documents=plan.warmup_documents, lost=losses(measured.warmup)),
        cells=_cells(measured),
    )


def _cells(measured: Measured) -> tuple[Cell, ...]:
    return tuple(Cell.of(documents, samples) for documents, samples in measured.timed.items() if samples)


def _publish(results: Results, arguments: argparse.Namespace) -> None:
    """Files first: a closed terminal must not cost the figures."""
    if arguments.json_summary_out is not None:
        results.write(arguments.json_summary_out)
    if arguments.termination_log is not None:
        arguments.termination_log.write_text(termination_summary(results), encoding="utf-8")
    if sys.stdout.isatty():
        Console().print(report.terminal([results]))
    else:
        sys.stdout.write(report.markdown([results]))
    sys.stdout.flush()


def _status(results: Results, *, allow_errors: bool) -> int:
    if results.interrupted:
        return INTERRUPTED
    if results.lost:
        say(f"reranker-bench: {results.lost} lost samples" + (" (allowed)" if allow_errors else ""))
        return ALL_MEASURED if allow_errors else LOST
    return ALL_MEASURED


def _fail(arguments: argparse.Namespace, status: int, message: str) -> int:
    """Say why nothing was measured, also where a Job's owner looks."""
    say(f"reranker-bench: {message}")
    if arguments.termination_log is not None:
        summary = json.dumps({"schema_version": 1, "error": message[:1000]}, ensure_ascii=False)
        with contextlib.suppress(OSError):  # that it can't be written may be the very message, which has been said
            arguments.termination_log.write_text(summary, encoding="utf-8")
    return status


def _check_writable(*paths: Path | None) -> None:
    """Find out before an hour of measuring, not after it; nothing is created yet."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise OSError(f"can't write {path}: it is a folder")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise OSError(f"can't write {path}: no such folder, or not permitted")


def _say_once() -> Callable[[str], None]:
    """Tell what is missing when it changes, not once a second."""
    last = ""

    def on_poll(missing: str) -> None:
        nonlocal last
        if missing != last:
            say(f"waiting: {missing}")
            last = missing

    return on_poll
