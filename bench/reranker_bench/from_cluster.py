"""Results of a RerankerBenchmark, by kubectl: from its status, and from the logs of its Jobs.

The status holds a summary for each size; the raw times that plots and comparisons need stand in the last line of each
Job's log, unless the benchmark writes them to a volume.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from reranker_bench.reading import KIND, upgrade
from reranker_bench.report import markdown_table
from reranker_bench.results import Results

TIMEOUT_S = 60.0
"""Of one call of kubectl."""


class ClusterError(Exception):
    """The benchmark can't be read from the cluster; the message says why."""


@dataclass(frozen=True)
class Found:
    """What the cluster holds of one benchmark."""

    runs: list[Results]
    """Of the scenarios whose raw results could be read."""
    notes: list[str]
    """One line for each scenario that failed or without raw results."""
    table: list[str]
    """The status as a table in Markdown, one row a scenario: there also without raw results."""
    whole: bool
    """Whether there are raw results of every scenario that has figures."""


def read_cluster(name: str, namespace: str | None, context: str | None = None) -> Found:
    """Read a RerankerBenchmark of kubectl's present namespace, or of another one.

    Raises:
        ClusterError: kubectl isn't there, or can't read it.
    """
    scope = [*(["--context", context] if context else []), *(["--namespace", namespace] if namespace else [])]
    text = _kubectl(*scope, "get", "rerankerbenchmarks.reranker.dev", name, "-o", "json")
    try:
        benchmark = json.loads(text)
        scenarios = benchmark.get("status", {}).get("scenarios", [])
    except (ValueError, AttributeError) as error:
        raise ClusterError(f"kubectl's answer about {name} can't be read: {error}") from error
    if not scenarios:
        raise ClusterError(f"the benchmark {name} has not begun: its status holds no scenario yet")
    runs, notes, whole = [], [], True
    for scenario in scenarios:
        label = f"{scenario['backend']}, {scenario['instructionFormat']}"
        if scenario["phase"] != "Succeeded":
            notes.append(f"{label}: {scenario['phase']}" + _because(scenario))
        elif scenario.get("message"):
            notes.append(f"{label}: {scenario['message']}")
        if "results" not in scenario:
            continue
        found = _run_of(_log(scope, scenario.get("job", "")))
        if found is None:
            whole = False
            notes.append(f"{label}: no raw results in the Job's log; they lie in: {scenario.get('rawResults', '?')}")
        else:
            runs.append(found)
    return Found(runs, notes, status_table(scenarios), whole)


def status_table(scenarios: Sequence[dict[str, Any]]) -> list[str]:
    """The scenarios' mean times, as their status has them: the lines of a table in Markdown."""
    sizes = sorted({cell["documents"] for scenario in scenarios for cell in scenario.get("results", [])})
    header = ["backend", "instruction_format", *(f"n={size}" for size in sizes), "lost", "status"]
    rows = []
    for scenario in scenarios:
        means = {cell["documents"]: cell.get("meanMs") for cell in scenario.get("results", [])}
        figures = ["-" if means.get(size) is None else f"{means[size]:.1f}" for size in sizes]
        lost, status = str(scenario.get("errors", "-")), scenario["phase"]
        rows.append([scenario["backend"], scenario["instructionFormat"], *figures, lost, status])
    return markdown_table(header, rows)


def _because(scenario: dict[str, Any]) -> str:
    reason, message = scenario.get("reason"), scenario.get("message")
    return "".join(f": {part}" for part in (reason, message) if part)


def _log(scope: Sequence[str], job: str) -> str:
    """A Job's log; empty where it is gone."""
    try:
        return _kubectl(*scope, "logs", f"job/{job}", "--tail=20")
    except ClusterError:
        return ""


def _run_of(log: str) -> Results | None:
    """The results in a log, where it holds some: the last line that is a results document."""
    for line in reversed(log.splitlines()):
        if not line.startswith("{"):
            continue
        try:
            document = json.loads(line)
            if document.get("kind") == KIND:
                return Results.model_validate(upgrade(document))
        except (ValueError, ValidationError, KeyError, TypeError):
            continue
    return None


def _kubectl(*arguments: str) -> str:
    try:
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        raise ClusterError("kubectl is not on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"kubectl did not answer within {TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or 'failed'}")
    return done.stdout
