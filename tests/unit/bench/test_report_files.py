"""The page and the picture: whole, self-contained, and saying what was measured."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reranker_bench import charts, html_report
from reranker_bench.answers import LossReason
from reranker_bench.cli import main
from reranker_bench.comparing import compare
from reranker_bench.load import Sample

LOST = Sample(100, 2, reason=LossReason.STATUS, detail="status 500: <script>alert(1)</script>", status=500)


class Page(HTMLParser):
    """Collects what a test asks about, and complains about tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.links += [value for name in ("src", "href", "xlink:href") if (value := found.get(name))]
        self.ids += [value] if (value := found.get("id")) else []
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag != "meta":
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def runs(make_run: Any) -> list[Any]:
    return [
        make_run({100: [50.0, 52.0, LOST], 200: [98.0, 99.0]}, tag="[b] <i>标签</i>"),
        make_run({100: [70.0 + i / 10 for i in range(25)], 200: [LOST]}, instruction_format="standard"),
    ]


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(runs: list[Any], make_run: Any) -> None:
    old = [
        make_run({100: [80.0, 81.0], 200: [98.0, 99.5]}),
        make_run({100: [70.0, 70.5]}, instruction_format="standard"),
    ]
    page = Page(html_report.page(runs, compare(old, runs), "A <title>"))
    assert page.open == []
    assert page.tags.count("svg") == 4
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert len(set(page.ids)) == len(page.ids), "ids of one plot must not be those of another"
    for text in (
        "A <title>",
        "<script>alert(1)</script>",
        "<i>标签</i>",
        "50.",
        "faster",
        "no difference",
        "a processor",
    ):
        assert text in page.text
    assert "Not measured alike" in page.text


def test_the_same_results_give_the_same_page(runs: list[Any]) -> None:
    assert html_report.page(runs) == html_report.page(runs)


def test_runs_are_named_so_that_they_are_told_apart(make_run: Any) -> None:
    run, tagged = make_run({1: [1.0]}), make_run({1: [1.0]}, tag="t")
    assert charts.labels([run, make_run({1: [1.0]}, backend="b")]) == ["qwen3_vllm, compact", "b, compact"]
    assert charts.labels([run, tagged]) == ["qwen3_vllm, compact", "qwen3_vllm, compact (t)"]
    assert charts.labels([tagged, tagged])[1] == "2: qwen3_vllm, compact (t)"


def test_throughput_of_one_request_at_a_time_is_that_of_its_latency(make_run: Any) -> None:
    run = make_run({100: [50.0, 50.0]})
    assert charts.documents_per_s(run, run.cells[0]) == 2000
    several = make_run({100: [50.0, 50.0]}, parameters={"concurrency": 4})
    assert charts.documents_per_s(several, several.cells[0]) is None


@pytest.fixture
def folder(runs: list[Any], tmp_path: Path) -> Path:
    for number, run in enumerate(runs):
        run.write(tmp_path / f"{number}.json")
    return tmp_path


def test_the_command_writes_what_was_asked_for_where_nothing_else_can_be_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    files = [f"--{kind}={out / kind}" for kind in ("markdown", "html", "png")]
    command = [sys.executable, "-m", "reranker_bench.cli", "report", str(folder), *files]
    environment = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    done = subprocess.run(
        command,
        env=environment | {"HOME": "/proc", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (out / "png").read_bytes().startswith(b"\x89PNG")
    assert (out / "html").read_text().startswith("<!DOCTYPE html>")
    assert "| qwen3_vllm | standard" in (out / "markdown").read_text().replace("  ", " ")


def test_without_a_file_the_command_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folder), "--baseline", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "Mean latency (ms), old against new" in printed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("/nowhere",), "can't read /nowhere"), (("{folder}", "--html", "/nowhere/x.html"), "can't write /nowhere/")],
)
def test_the_command_names_what_is_wrong(
    folder: Path, arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *(argument.format(folder=folder) for argument in arguments)]) == 2
    assert complaint in capsys.readouterr().err


def test_only_drawing_pays_for_the_plots() -> None:
    code = (
        "import sys, reranker_bench.cli; print([m for m in sys.modules if m.split('.')[0] in ('matplotlib', 'numpy')])"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_plots_extra_tables_are_written_and_pages_name_what_is_missing(folder: Path) -> None:
    without = "import sys; sys.modules['matplotlib'] = None"
    code = f"{without}; from reranker_bench.cli import main; sys.exit(main(sys.argv[1:]))"

    def report(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-c", code, "report", str(folder), *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert report().returncode == 0
    refused = report("--html", str(folder / "page.html"))
    assert refused.returncode == 2
    assert "plots need matplotlib: pip install 'reranker-operator[plots]'" in refused.stderr
    assert not (folder / "page.html").exists()
