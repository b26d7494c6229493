"""The test runner's own promises: an hour in all, counts read from real reports, a suite over its budget ended."""

import sys
import time
from pathlib import Path

from hack.suites import ROOT, SUITES, Suite, counts_of, run_all, run_within


def test_the_budgets_sum_to_an_hour_at_most():
    assert sum(suite.budget_s for suite in SUITES) <= 3600


def test_every_suite_has_its_folder_or_its_command():
    for suite in SUITES:
        assert suite.command or (ROOT / "tests" / suite.name).is_dir(), suite.name


def test_every_folder_under_tests_is_run_by_a_suite():
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("**/test_*.py"))}
    assert folders <= {suite.name for suite in SUITES}


def test_counts_are_read_from_pytests_report(tmp_path: Path):
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="7" failures="1" errors="0" skipped="2"/></testsuites>')
    assert counts_of(report) == "4 passed, 1 failed, 2 skipped"


def test_a_suite_that_wrote_no_report_says_so(tmp_path: Path):
    assert "no report" in counts_of(tmp_path / "absent.xml")


def test_a_suite_over_its_budget_is_ended_with_what_it_started(tmp_path: Path):
    child = tmp_path / "child.pid"
    code = (
        "import pathlib, subprocess, time\n"
        "process = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(process.pid))\n"
        "time.sleep(60)"
    )
    assert run_within([sys.executable, "-c", code], 3) == 124
    deadline = time.monotonic() + 10
    process = Path("/proc") / child.read_text()
    while process.exists() and "Z" not in (process / "stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "the child outlived its suite"
        time.sleep(0.1)


def test_what_a_suite_leaves_of_its_budget_goes_to_those_after_it(tmp_path: Path):
    def takes(name: str, seconds: float, budget_s: int) -> Suite:
        return Suite(name, "sleeps", budget_s, (sys.executable, "-c", f"import time; time.sleep({seconds})"))

    quick, slow, slower = takes("quick", 0, 6), takes("slow", 3, 1), takes("slower", 60, 1)
    outcomes = run_all([quick, slow, slower], tmp_path)
    assert [outcome.ok for outcome in outcomes] == [True, True, False]
    assert sum(outcome.seconds for outcome in outcomes) < 10
