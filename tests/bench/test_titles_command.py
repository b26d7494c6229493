"""`reranker-bench titles`, and that its output is what a run without --titles sends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

BENCH = (sys.executable, "-m", "reranker_bench.cli")


def write(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run((*BENCH, "titles", *arguments), capture_output=True, timeout=60, check=False)


def test_a_run_with_the_written_titles_sends_what_a_run_without_them_sends(
    serve: Any, bench: Any, script: Any, tmp_path: Path
) -> None:
    file = tmp_path / "titles.txt"
    assert write("--output", str(file)).returncode == 0
    assert len(file.read_text().splitlines()) == 18_000
    sent = []
    for more in ((), ("--titles", str(file))):
        server = serve(script())
        assert bench("50", "--repeat", "2", "--quiet-runs", "--url", server.url, *more).status == 0
        sent.append(server.bodies)
    assert sent[0] == sent[1]


def test_titles_go_to_stdout_and_depend_on_the_seed() -> None:
    first, again, other = (write("--count", "50", "--seed", seed).stdout for seed in ("7", "7", "8"))
    assert len(first.decode().splitlines()) == 50
    assert first == again != other


def test_own_titles_that_are_too_few_start_over_and_the_table_says_so(
    serve: Any, bench: Any, script: Any, tmp_path: Path
) -> None:
    file = tmp_path / "titles.txt"
    file.write_text("".join(f"title {number % 20}\n" for number in range(30)))
    ran = bench("10", "--repeat", "2", "--quiet-runs", "--titles", str(file), "--url", serve(script()).url, warmup=5)
    assert ran.status == 0
    assert "10 repeated titles left out" in ran.stderr
    assert ran.results["titles"]["reused"] > 0
    assert "may have come twice" in ran.stdout


def test_a_place_that_cannot_be_written_is_named() -> None:
    ran = write("--output", "/nowhere/titles.txt")
    assert ran.returncode == 2
    assert b"can't write /nowhere/titles.txt" in ran.stderr
