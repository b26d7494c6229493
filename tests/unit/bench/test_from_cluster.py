"""`report --from-cluster`: out of what kubectl prints.

kubectl here is a script that prints files: the real one is used in the operator's suite and on the real node, where
logs that are gone or cut can't be caused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reranker_bench.cli import main

KUBECTL = """#!/bin/sh
echo "$@" >> {folder}/calls
case "$*" in
  *get*) cat {folder}/rrb.json 2>/dev/null || {{ echo "Error from server (NotFound): none" >&2; exit 1; }} ;;
  *"logs job/"*) cat "{folder}/$(echo "$*" | sed 's/.*job.//; s/ .*//').log" 2>/dev/null || exit 1 ;;
esac
"""


def scenario(number: int, instruction_format: str, phase: str = "Succeeded", **more: Any) -> dict[str, Any]:
    results = [{"documents": 10, "samples": 2, "errors": 0, "meanMs": 12.5 * number}]
    return {
        "backend": "qwen3_vllm", "instructionFormat": instruction_format, "phase": phase, "job": f"matrix-s{number}",
        "rawResults": f"kubectl logs job/matrix-s{number}", "errors": 0, "results": results, **more,
    }  # fmt: skip


class Cluster:
    """What the script prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def holds(self, *scenarios: dict[str, Any]) -> None:
        (self.folder / "rrb.json").write_text(json.dumps({"status": {"scenarios": scenarios}}))

    def logs(self, job: str, text: str) -> None:
        (self.folder / f"{job}.log").write_text(text)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    script = tmp_path / "kubectl"
    script.write_text(KUBECTL.format(folder=tmp_path))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Cluster(tmp_path)


def log_of(run: Any) -> str:
    """A Job's log: the table, then the raw results."""
    return f"Mean latency (ms)\n\n| a |\n{run.model_dump_json()}\n"


def test_raw_results_come_from_the_logs(cluster: Cluster, make_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.holds(scenario(1, "compact"), scenario(2, "standard"))
    cluster.logs("matrix-s1", log_of(make_run({10: [11.0, 12.0]})))
    cluster.logs("matrix-s2", log_of(make_run({10: [21.0, 22.0]}, instruction_format="standard")))
    page, picture = cluster.folder / "a.html", cluster.folder / "a.png"
    assert main(["report", "--from-cluster", "matrix", "--namespace", "shop", "--html", str(page)]) == 0
    assert main(["report", "--from-cluster", "matrix", "--png", str(picture)]) == 0
    assert main(["report", "--from-cluster", "matrix"]) == 0
    printed = capsys.readouterr().out
    assert "| qwen3_vllm | compact            | 11.5 |" in printed
    assert "| qwen3_vllm | standard           | 21.5 |" in printed
    assert "qwen3_vllm" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert cluster.calls[0] == "--namespace shop get rerankerbenchmarks.reranker.dev matrix -o json"


def test_without_logs_the_status_gives_the_table(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.holds(
        scenario(1, "compact"),
        scenario(2, "standard", "Failed", reason="NoFreeGPU", message="none was free", results=[]),
    )
    assert main(["report", "--from-cluster", "matrix"]) == 0
    printed = capsys.readouterr().out
    assert "| qwen3_vllm | compact            | 12.5 |    0 | Succeeded |" in printed
    assert "* qwen3_vllm, standard: Failed: NoFreeGPU: none was free" in printed
    assert "no raw results in the Job's log; they lie in: kubectl logs job/matrix-s1" in printed


def test_scenario_whose_log_is_gone_is_in_the_table_all_the_same(
    cluster: Cluster, make_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.holds(scenario(1, "compact"), scenario(2, "standard"))
    cluster.logs("matrix-s1", log_of(make_run({10: [11.0, 12.0]})))
    assert main(["report", "--from-cluster", "matrix"]) == 0
    printed = capsys.readouterr().out
    assert "| qwen3_vllm | standard           | 25.0 |    0 | Succeeded |" in printed
    assert "| qwen3_vllm | compact            | 11.5 |" in printed


def test_log_that_was_cut_is_not_taken_for_results(cluster: Cluster, make_run: Any) -> None:
    cluster.holds(scenario(1, "compact"))
    cluster.logs("matrix-s1", log_of(make_run({10: [11.0]}))[:-40])
    assert main(["report", "--from-cluster", "matrix", "--png", str(cluster.folder / "a.png")]) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give results files, or --from-cluster NAME"),
        (["a.json", "--from-cluster", "matrix"], "give results files, or --from-cluster NAME"),
        (["--from-cluster", "matrix"], "Error from server (NotFound): none"),
    ],
)
def test_what_cannot_be_read_is_named(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert main(["report", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_missing_kubectl_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["report", "--from-cluster", "matrix"]) == 2
    assert "kubectl is not on the PATH" in capsys.readouterr().err


def test_benchmark_that_has_not_begun_is_named(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.holds()
    assert main(["report", "--from-cluster", "matrix"]) == 2
    assert "has not begun" in capsys.readouterr().err
