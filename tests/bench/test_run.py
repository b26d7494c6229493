"""`reranker-bench run` as a whole, over real HTTP: the method, the losses, the exit statuses, what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

BENCH = (sys.executable, "-m", "reranker_bench.cli")


def test_a_sweep_warms_up_then_times_each_size_and_repeats_no_title(serve: Any, bench: Any, script: Any) -> None:
    server = serve(script())
    ran = bench("10,20,5", "--repeat", "2", "--seed", "99", "--quiet-runs", "--url", server.url, "--tag", "T", warmup=8)
    assert ran.status == 0, ran.stderr
    assert [len(titles) for titles in server.titles] == [8, 8, 8, 10, 10, 20, 20, 5, 5]
    sent = [title for titles in server.titles for title in titles]
    assert len(set(sent)) == len(sent)
    assert {body["query"] for body in server.bodies} == {"健身女生T恤短袖"}

    results = ran.results
    assert [(cell["documents"], len(cell["values_ms"])) for cell in results["cells"]] == [(10, 2), (20, 2), (5, 2)]
    assert all(value > 0 for cell in results["cells"] for value in cell["values_ms"])
    assert (results["schema_version"], results["tag"], results["interrupted"]) == (2, "T", False)
    assert results["environment"]["health"]["backend"] == "qwen3_vllm"
    assert results["titles"]["count"] == 18_000
    assert results["titles"]["reused"] == 0
    assert "| qwen3_vllm | compact            |" in ran.stdout
    assert "n=5" in ran.stdout
    assert ran.stderr == ""


def test_each_run_is_shown_unless_quiet(serve: Any, bench: Any, script: Any) -> None:
    ran = bench("3,4", "--repeat", "2", "--url", serve(script()).url)
    shown = [line.partition(":")[0] for line in ran.stderr.splitlines()]
    warmups = [f"warm-up {number}/3 n=4" for number in (1, 2, 3)]
    assert shown == [*warmups, "n=3 run 1/2", "n=3 run 2/2", "n=4 run 1/2", "n=4 run 2/2"]


def test_equal_seeds_send_equal_requests_and_other_seeds_others(serve: Any, bench: Any, script: Any) -> None:
    sent = []
    for seed in ("99", "99", "42"):
        server = serve(script())
        assert bench("7,9", "--repeat", "2", "--seed", seed, "--quiet-runs", "--url", server.url).status == 0
        sent.append(server.bodies)
    assert sent[0] == sent[1]
    assert sent[0] != sent[2]


def test_a_lost_sample_is_counted_shown_and_never_sent_again(serve: Any, bench: Any, script: Any) -> None:
    # Requests 1 to 3 warm up, 4 to 6 are n=5, 7 to 9 are n=6.
    server = serve(script(faults={8: "status"}))
    ran = bench("5,6", "--repeat", "3", "--quiet-runs", "--url", server.url)
    assert ran.status == 1
    assert ran.lost() == [(6, 2, "status")]
    assert [len(cell["values_ms"]) for cell in ran.results["cells"]] == [3, 2]
    assert len(server.bodies) == 9, "a lost sample must not be tried again"
    assert ran.stderr.splitlines() == [
        'n=6 run 2/3: LOST (status): status 429: {"error": {"message": "the queue is full"}}',
        "reranker-bench: 1 lost samples (1 status)",
    ]
    assert "* lost: n=6 request 2: status: status 429" in ran.stdout


FAULTS = {
    "status": "status",
    "reset": "reset",
    "truncate": "truncated",
    "cut chunks": "truncated",
    "not http": "transport",
    "late": "timeout",
    "trickle": "timeout",
    "html": "bad_json",
    "short": "wrong_count",
    "duplicate": "bad_index",
    "nan": "bad_score",
}


def test_faults_are_counted_one_for_one_each_for_its_reason(serve: Any, bench: Any, script: Any) -> None:
    # After the 3 warm-ups every second answer is a fault, then two more come at the second size.
    faults = {4 + 2 * place: fault for place, fault in enumerate(FAULTS)} | {26: "reset", 27: "status"}
    server = serve(script(faults=faults))
    ran = bench("5,6", "--repeat", "22", "--timeout", "2", "--quiet-runs", "--url", server.url)
    assert ran.status == 1
    n5 = [(5, 1 + 2 * place, reason) for place, reason in enumerate(FAULTS.values())]
    assert ran.lost() == [*n5, (6, 1, "reset"), (6, 2, "status")]
    assert [len(cell["values_ms"]) for cell in ran.results["cells"]] == [11, 20]
    assert len(server.bodies) == 3 + 44
    assert "13 lost samples" in ran.stderr
    assert "\x1b" not in ran.stdout + ran.stderr, "a server's text must not steer the terminal"


def test_a_size_that_lost_everything_has_no_figure(serve: Any, bench: Any, script: Any) -> None:
    ran = bench("5", "--repeat", "2", "--quiet-runs", "--url", serve(script(faults={4: "nan", 5: "html"})).url)
    assert ran.status == 1
    assert ran.results["cells"][0]["mean_ms"] is None
    assert "| lost |    2 |" in ran.stdout


def test_lost_samples_may_be_allowed_and_are_counted_all_the_same(serve: Any, bench: Any, script: Any) -> None:
    ran = bench("5", "--repeat", "2", "--allow-errors", "--url", serve(script(faults={4: "status"})).url)
    assert ran.status == 0
    assert ran.lost() == [(5, 1, "status")]
    assert "429" in ran.results["cells"][0]["lost"][0]["detail"]


def test_a_lost_warm_up_means_that_the_method_was_not_kept(serve: Any, bench: Any, script: Any) -> None:
    ran = bench("5", "--repeat", "1", "--quiet-runs", "--url", serve(script(faults={2: "status"})).url)
    assert ran.status == 1
    assert [loss["repeat"] for loss in ran.results["warmup"]["lost"]] == [2]
    assert len(ran.results["cells"][0]["values_ms"]) == 1


def test_a_slow_answer_is_a_slow_sample(serve: Any, bench: Any, script: Any) -> None:
    ran = bench("5", "--repeat", "3", "--quiet-runs", "--url", serve(script(faults={5: "slow"})).url)
    assert ran.status == 0
    first, slow, last = ran.results["cells"][0]["values_ms"]
    assert slow >= 500
    assert max(first, last) < slow


def test_it_waits_until_the_server_is_ready_and_the_wanted_one(serve: Any, bench: Any, script: Any) -> None:
    old = {"status": "ok", "backend": "qwen3_vllm", "instruction_format": "compact"}
    new = old | {"instruction_format": "standard"}
    server = serve(script(health=[(200, old), (503, new | {"status": "loading"}), (200, new)]))
    expected = ("--expect-backend", "qwen3_vllm", "--expect-instruction-format", "standard")
    ran = bench("5", "--repeat", "1", "--quiet-runs", "--wait", "20", *expected, "--url", server.url)
    assert ran.status == 0, ran.stderr
    assert server.health_asked == 3
    assert ran.results["environment"]["health"] == new
    assert ran.stderr.splitlines() == [
        "waiting: /health says instruction_format 'compact', wanted 'standard'",
        "waiting: /health answers 503 (loading)",
    ]


def test_nothing_is_measured_of_the_wrong_server(serve: Any, bench: Any, script: Any, tmp_path: Path) -> None:
    server = serve(script())
    log = tmp_path / "termination-log"
    ran = bench("5", "--expect-backend", "qwen3_vllm_score", "--termination-log", str(log), "--url", server.url)
    assert ran.status == 3
    assert "backend 'qwen3_vllm', wanted 'qwen3_vllm_score'" in ran.stderr
    assert "wanted 'qwen3_vllm_score'" in json.loads(log.read_text())["error"]
    assert server.bodies == []
    assert not ran.file.exists()


def test_a_server_that_is_not_there_is_said_at_once(bench: Any, free_port: int) -> None:
    started = time.monotonic()
    ran = bench("5", "--url", f"http://127.0.0.1:{free_port}")
    assert ran.status == 3
    assert "not ready: no answer from /health" in ran.stderr
    assert time.monotonic() - started < 10


def test_a_server_without_health_can_be_measured(serve: Any, bench: Any, script: Any) -> None:
    server = serve(script(health=[(404, {"detail": "Not Found"})]))
    ran = bench("5", "--repeat", "1", "--quiet-runs", "--url", server.url)
    assert ran.status == 0
    assert ran.results["environment"]["health"] == {}
    assert "| unknown | unknown" in ran.stdout


def test_a_job_leaves_its_figures_as_termination_message(serve: Any, bench: Any, script: Any, tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.write_text("")
    sizes = ",".join(str(n) for n in range(1, 101))
    ran = bench(sizes, "--repeat", "1", "--quiet-runs", "--termination-log", str(log), "--url", serve(script()).url)
    assert ran.status == 0
    assert len(log.read_bytes()) <= 4096
    summary = json.loads(log.read_text())
    assert (summary["backend"], summary["lost"]) == ("qwen3_vllm", 0)
    assert summary["cells"][0]["n"] == 1
    assert summary["cells_left_out"] > 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_measured(
    serve: Any, script: Any, tmp_path: Path, stop: signal.Signals
) -> None:
    server = serve(script(delay_s=0.2))
    file = tmp_path / "results.json"
    command = (*BENCH, "run", "5,6", "--repeat", "50", "--warmup-documents", "4", "--quiet-runs", "--url", server.url)
    process = subprocess.Popen((*command, "--json-summary-out", str(file)), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while len(server.bodies) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(stop)
    stdout, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    results = json.loads(file.read_text())
    assert results["interrupted"] is True
    assert 1 <= len(results["cells"][0]["values_ms"]) < 50
    assert results["cells"][0]["lost"] == []
    assert "interrupted" in stdout


def test_a_terminal_gets_a_progress_bar_and_a_drawn_table(serve: Any, script: Any) -> None:
    server = serve(script(delay_s=0.1))
    command = (*BENCH, "run", "5,6", "--repeat", "2", "--warmup-documents", "4", "--quiet-runs", "--url", server.url)
    parent, child = pty.openpty()
    process = subprocess.Popen(
        command, stdout=child, stderr=child, env=os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    )
    os.close(child)
    screen = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # Linux answers EIO once the program has closed its end
            break
        if not part:
            break
        screen += part
    os.close(parent)
    assert process.wait(timeout=20) == 0
    text = screen.decode()
    assert "n=6 run 2/2" in text
    assert "━" in text
    assert "│ qwen3_vllm" in text


@pytest.mark.parametrize("option", ["--json-summary-out", "--termination-log"])
def test_full_disk_costs_no_figures(serve: Any, bench: Any, script: Any, option: str) -> None:
    ran = bench("5", "--quiet-runs", "--url", serve(script()).url, option, "/dev/full")
    assert ran.status == 2
    assert "can't write /dev/full: No space left on device" in ran.stderr
    assert "| qwen3_vllm | compact            |" in ran.stdout
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("100,0",), "at least 1"),
        (("5", "--titles", "/nowhere/titles.txt"), "can't read /nowhere/titles.txt"),
        (("5", "--termination-log", "/nowhere/log"), "can't write /nowhere/log"),
    ],
)
def test_wrong_usage_is_explained_before_anything_is_sent(
    serve: Any, bench: Any, script: Any, arguments: tuple[str, ...], complaint: str
) -> None:
    server = serve(script())
    ran = bench(*arguments, "--url", server.url)
    assert ran.status == 2
    assert complaint in ran.stderr
    assert server.bodies == []
