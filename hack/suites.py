"""Runs the test suites one after another, each within its time budget, and prints one summary line a suite.

The budgets are what keeps the whole within an hour on a machine that starts from nothing: what a suite leaves of its
own goes to those after it, and one that has used up both is ended and counts as failed. A machine that is slow in one
suite thus fails only when it is slow in all. `python -m hack.suites NAME...` runs only those.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Suite:
    """One folder under tests/, or one preparation step, with the seconds that it may take on a cold machine."""

    name: str
    what: str
    budget_s: int
    command: tuple[str, ...] = ()
    """Run instead of pytest: a step that later suites need, such as building Kubernetes."""
    workers: int = 1
    """Test files that run side by side: only where each test has all it needs to itself."""


SUITES = (
    Suite("unit", "pure cores and single parts", 330, workers=2),
    Suite("bench", "the benchmark's command line against a faulty server", 130, workers=2),
    Suite("tools", "Kubernetes, helm, CoreDNS, kube-router built from source", 1010, ("hack/cluster/cluster", "build")),
    Suite("chart", "the Helm chart rendered by the real helm", 70, workers=2),
    Suite("observability", "dashboards and alerts, asked of a real Prometheus", 140),
    Suite("operator", "the operator against a real API server", 250, workers=2),
    Suite("service", "the service with the real vLLM on this CPU", 400, workers=2),
    Suite("clients", "every client library, as published, against the real service", 170),
    Suite("cluster", "the local node itself, and that it leaves nothing behind", 100),
    Suite("images", "the images, built without a Docker engine", 290, ("hack/images/build",)),
    Suite("node", "each failure of a reranker, caused on the real node", 440),
    Suite("e2e", "the whole product on the real node", 270),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one suite."""

    suite: Suite
    ok: bool
    counts: str
    seconds: float

    def line(self) -> str:
        """The summary line: verdict, counts, time of budget."""
        verdict = "ok    " if self.ok else "FAILED"
        return (
            f"{verdict} {self.suite.name:<13} {self.counts:<34} {self.seconds:6.0f} s of {self.suite.budget_s:4d} s"
            f"  {self.suite.what}"
        )


def counts_of(report: Path) -> str:
    """What pytest's JUnit report counted, or why there is none."""
    if not report.is_file() or not report.stat().st_size:
        return "no report: it did not get to its end"
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - written by pytest a moment ago
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in suites:
        for key in totals:
            totals[key] += int(suite.get(key, 0))
    passed = totals["tests"] - totals["failures"] - totals["errors"] - totals["skipped"]
    return ", ".join(
        f"{number} {word}"
        for number, word in (
            (passed, "passed"),
            (totals["failures"], "failed"),
            (totals["errors"], "errors"),
            (totals["skipped"], "skipped"),
        )
        if number or word == "passed"
    )


def run_within(command: Sequence[str], budget_s: float) -> int:
    """Run in a process group of its own, so that a suite over its budget goes with everything it started."""
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        return process.wait(timeout=budget_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as stopped:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if isinstance(stopped, KeyboardInterrupt):
            raise
        print(f"ended: over its budget of {budget_s:.0f} s", file=sys.stderr)
        return 124


def run_suite(suite: Suite, report: Path, spare_s: float = 0.0) -> Outcome:
    """Run one suite within its budget and what those before it left of theirs, and read its counts."""
    allowed = suite.budget_s + spare_s
    print(f"\n=== {suite.name}: {suite.what}", flush=True)
    started = time.monotonic()
    if suite.command:
        code = run_within(suite.command, allowed)
        counts = "done" if code == 0 else f"exit status {code}"
    else:
        beside = ("-n", str(suite.workers), "--dist", "loadfile") if suite.workers > 1 else ()
        pytest = (sys.executable, "-m", "pytest", f"tests/{suite.name}", f"--junitxml={report}", *beside)
        code = run_within(pytest, allowed)
        counts = counts_of(report)
    return Outcome(suite, code == 0, counts, time.monotonic() - started)


def run_all(suites: Sequence[Suite], reports: Path) -> list[Outcome]:
    """Run suites in their order; together they take no longer than the sum of their budgets."""
    outcomes: list[Outcome] = []
    spare_s = 0.0
    for suite in suites:
        outcome = run_suite(suite, reports / f"{suite.name}.xml", spare_s)
        spare_s = max(0.0, spare_s + suite.budget_s - outcome.seconds)
        outcomes.append(outcome)
    return outcomes


def main() -> int:
    """Run the suites that were named, or all of them; the exit status is 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m hack.suites", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(suite.name for suite in SUITES)}; all when none")
    names = parser.parse_args().names
    unknown = set(names) - {suite.name for suite in SUITES}
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as reports:
        outcomes = run_all([suite for suite in SUITES if not names or suite.name in names], Path(reports))
    print("\n=== summary")
    for outcome in outcomes:
        print(outcome.line())
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
