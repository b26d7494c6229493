"""What people and Jobs read: the table by backend, format and size, and the summary that fits a termination message."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from reranker_bench import report
from reranker_bench.answers import LossReason
from reranker_bench.load import Sample
from reranker_bench.results import SUMMARY_BYTES, Results, termination_summary

LOST = Sample(100, 2, reason=LossReason.STATUS, detail="status 500: a | b [red]", status=500)


def test_the_markdown_table_has_a_row_a_run_and_a_column_a_size(make_run: Any) -> None:
    runs = [
        make_run({100: [213.0, 214.0], 200: [418.0, 418.0]}),
        make_run(
            {200: [591.8, 591.8], 1000: [2931.7, 2931.7]}, backend="qwen3_vllm_score", instruction_format="standard"
        ),
    ]
    table = report.markdown(runs).split("\n\n")[1]
    assert table == (
        "| backend          | instruction_format | n=100 | n=200 | n=1000 | lost |\n"
        "| ---------------- | ------------------ | ----: | ----: | -----: | ---: |\n"
        "| qwen3_vllm       | compact            | 213.5 | 418.0 |      - |    0 |\n"
        "| qwen3_vllm_score | standard           |     - | 591.8 | 2931.7 |    0 |"
    )


def test_lost_samples_are_marked_in_the_cell_and_explained_below(make_run: Any) -> None:
    text = report.markdown([make_run({100: [50.0, LOST], 200: [LOST]})])
    assert "| 50.0* |  lost |    2 |" in text
    assert "* lost: n=100 request 2: status: status 500: a | b [red]" in text


def test_runs_are_told_apart_by_their_tags(make_run: Any) -> None:
    runs = [make_run({100: [1.0]}, tag="before"), make_run({100: [2.0]}, tag="之后")]
    lines = report.markdown(runs).splitlines()
    assert lines[2].startswith("| tag    | backend")
    assert lines[4].startswith("| before | qwen3_vllm")
    assert lines[5].startswith("| 之后   | qwen3_vllm")


def test_the_details_have_all_the_figures_of_a_size(make_run: Any) -> None:
    assert report.details(make_run({100: [10.0, 30.0]})) == [
        ["100", "2", "0", "20.0", "14.1", "20.0", "29.0", "29.8", "10.0", "30.0", "-"]
    ]


def test_the_terminal_table_shows_texts_as_they_are(make_run: Any) -> None:
    screen = StringIO()
    run = make_run({100: [50.0, LOST]}, tag="[bold]mine[/bold]", interrupted=True)
    Console(file=screen, width=160).print(report.terminal([run]))
    assert "[bold]mine[/bold]" in screen.getvalue()
    assert "a | b [red]" in screen.getvalue()
    assert "50.0*" in screen.getvalue()
    assert "interrupted" in screen.getvalue()


def test_the_results_file_reads_back_as_it_was_written(make_run: Any) -> None:
    run = make_run({100: [50.0, LOST]}, tag="t")
    assert Results.model_validate_json(run.model_dump_json()) == run
    assert json.loads(run.model_dump_json())["schema_version"] == 2


@pytest.mark.parametrize("change", [{"schema_version": 1}, {"surprise": 1}, {"cells": [{"documents": 1}]}])
def test_a_results_file_of_another_kind_is_refused(make_run: Any, change: dict[str, Any]) -> None:
    document = json.loads(make_run({100: [50.0]}).model_dump_json()) | change
    with pytest.raises(ValidationError):
        Results.model_validate_json(json.dumps(document))


def test_the_summary_carries_the_figures(make_run: Any) -> None:
    run = make_run({100: [10.0, 30.0], 200: [LOST]}, tag="t", health={"model": {"name": "Qwen/X"}, "backend": "b"})
    summary = json.loads(termination_summary(run))
    assert (summary["tag"], summary["backend"], summary["instruction_format"]) == ("t", "b", "unknown")
    assert (summary["model"], summary["lost"], summary["seed"]) == ("Qwen/X", 1, 99)
    assert summary["cells"] == [
        {"n": 100, "samples": 2, "lost": 0, "mean": 20.0, "stdev": 14.14, "p50": 20.0, "p95": 29.0, "p99": 29.8},
        {"n": 200, "samples": 0, "lost": 1, "mean": None, "stdev": None, "p50": None, "p95": None, "p99": None},
    ]


def test_the_summary_fits_a_termination_message_whatever_was_measured(make_run: Any) -> None:
    run = make_run({n: [123456.789, 98765.4321] for n in range(1, 101)}, tag="长" * 5000, backend="b" * 5000)
    summary = termination_summary(run)
    assert len(summary.encode()) <= SUMMARY_BYTES
    parsed = json.loads(summary)
    assert parsed["cells_left_out"] == 100 - len(parsed["cells"]) > 0
    assert [cell["n"] for cell in parsed["cells"]] == list(range(1, len(parsed["cells"]) + 1))
