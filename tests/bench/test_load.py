"""`reranker-bench run` with requests that overlap, by the clock, in other dialects, with a key, and beside a cache."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

BENCH = (sys.executable, "-m", "reranker_bench.cli")
QUIET = ("--quiet-runs", "--warmup-requests", "1")


def test_requests_overlap_up_to_the_concurrency_and_no_title_comes_twice(serve: Any, bench: Any, script: Any) -> None:
    server = serve(script(delay_s=0.1))
    ran = bench("5,6", "--repeat", "12", "--concurrency", "4", *QUIET, "--url", server.url)
    assert ran.status == 0, ran.stderr
    assert server.most_busy == 4
    sent = [title for titles in server.titles for title in titles]
    assert len(set(sent)) == len(sent) == 4 + 12 * 5 + 12 * 6
    cell = ran.results["cells"][0]
    assert len(cell["values_ms"]) == 12
    assert 4 < cell["requests_per_s"] < 40
    assert cell["documents_per_s"] == pytest.approx(5 * cell["requests_per_s"], rel=1e-3)
    assert "at most 4 at once" in ran.stdout


def test_equal_seeds_send_equal_requests_also_when_they_overlap(serve: Any, bench: Any, script: Any) -> None:
    sent = []
    for _ in range(2):
        server = serve(script(delay_s=0.01))
        assert bench("5,6", "--repeat", "9", "--concurrency", "3", *QUIET, "--url", server.url).status == 0
        sent.append(sorted(tuple(titles) for titles in server.titles))
    assert sent[0] == sent[1]


def test_in_an_open_loop_waiting_for_a_connection_is_part_of_the_latency(serve: Any, bench: Any, script: Any) -> None:
    # A request is due every 50 ms and takes 200 ms on the only connection: the tenth has waited for the nine before it.
    server = serve(script(delay_s=0.2))
    given = ("--rate", "20", "--arrivals", "even", "--concurrency", "1")
    ran = bench("5", "--repeat", "10", *given, *QUIET, "--url", server.url)
    assert ran.status == 0, ran.stderr
    cell = ran.results["cells"][0]
    assert cell["values_ms"][-1] > 9 * 200 + 200 - 9 * 50 - 1
    assert cell["start_delay_max_ms"] > 9 * 200 - 9 * 50 - 1
    assert "after they were due" in ran.stdout


def test_an_open_loop_sends_by_the_clock_while_answers_are_out(serve: Any, bench: Any, script: Any) -> None:
    server = serve(script(delay_s=0.5))
    ran = bench("5", "--rate", "40", "--duration", "1", "--arrivals", "even", *QUIET, "--url", server.url)
    assert ran.status == 0, ran.stderr
    assert len(ran.results["cells"][0]["values_ms"]) == 40
    assert server.most_busy > 10
    assert ran.results["parameters"]["rate"] == 40


def test_arrivals_are_random_but_the_same_for_a_seed(serve: Any, bench: Any, script: Any) -> None:
    counts = []
    for seed in ("1", "1", "2", "3"):
        server = serve(script())
        ran = bench("5", "--rate", "60", "--duration", "1", "--seed", seed, *QUIET, "--url", server.url)
        counts.append(len(ran.results["cells"][0]["values_ms"]))
    assert counts[0] == counts[1]
    assert len(set(counts)) > 1
    assert all(25 < count < 110 for count in counts)


def test_a_duration_counts_instead_of_a_number_of_requests(serve: Any, bench: Any, script: Any) -> None:
    server = serve(script(delay_s=0.05))
    ran = bench("5", "--duration", "1", *QUIET, "--url", server.url)
    assert ran.status == 0, ran.stderr
    assert 5 < len(ran.results["cells"][0]["values_ms"]) <= 20
    assert ran.results["parameters"]["duration_s"] == 1


REASONS = {"status": "status", "reset": "reset", "late": "timeout", "truncate": "truncated", "short": "wrong_count"}


def test_faults_of_overlapping_requests_are_counted_one_for_one(serve: Any, bench: Any, script: Any) -> None:
    choose = random.Random(7)
    faults = {number: choose.choice([*REASONS, *["none"] * 5]) for number in range(2, 202)}
    server = serve(script(faults=faults))
    ran = bench("5,6", "--repeat", "100", "--concurrency", "8", "--timeout", "1.5", *QUIET, "--url", server.url)
    assert ran.status == 1
    made = {REASONS[fault]: count for fault, count in server.faults_made.items() if fault != "none"}
    assert Counter(reason for _, _, reason in ran.lost()) == made
    assert len(server.bodies) == 1 + 200
    assert sum(len(cell["values_ms"]) for cell in ran.results["cells"]) == 200 - sum(made.values())
    for reason, count in made.items():
        assert f"{count} {reason}" in ran.stderr


@pytest.mark.parametrize("fault", ["chunks", "close"])
def test_ways_of_answering_that_are_no_faults_lose_nothing(serve: Any, bench: Any, script: Any, fault: str) -> None:
    server = serve(script(faults=dict.fromkeys(range(1, 20), fault)))
    ran = bench("5", "--repeat", "10", *QUIET, "--url", server.url)
    assert ran.status == 0, ran.stderr


DIALECTS = {
    "rerank": ("/rerank", {"query", "documents"}),
    "v1": ("/v1/rerank", {"model", "query", "documents"}),
    "v2": ("/v2/rerank", {"model", "query", "documents"}),
    "tei": ("/rerank", {"query", "texts"}),
    "score": ("/score", {"model", "text_1", "text_2"}),
    "vllm": ("/rerank", {"model", "query", "documents"}),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_asks_and_reads_in_its_own_way(serve: Any, bench: Any, script: Any, dialect: str) -> None:
    server = serve(script(models=["Qwen/Qwen3-Reranker-0.6B"]))
    ran = bench("5", "--repeat", "2", "--dialect", dialect, *QUIET, "--url", server.url)
    assert ran.status == 0, ran.stderr
    path, keys = DIALECTS[dialect]
    assert set(server.paths) == {path}
    assert all(set(body) == keys for body in server.bodies)
    assert all(body.get("model", "Qwen/Qwen3-Reranker-0.6B") == "Qwen/Qwen3-Reranker-0.6B" for body in server.bodies)
    assert ran.results["parameters"]["dialect"] == dialect


def test_the_api_key_is_sent_and_never_kept(serve: Any, bench: Any, script: Any, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("open-sesame\nanother\n")
    url = serve(script(key="open-sesame")).url
    assert bench("5", "--repeat", "1", *QUIET, "--url", url).status == 1
    for given in (("--api-key", "open-sesame"), ("--api-key-file", str(file))):
        ran = bench("5", "--repeat", "1", *QUIET, *given, "--url", url)
        assert ran.status == 0, ran.stderr
        assert "sesame" not in ran.file.read_text() + ran.stdout + ran.stderr


def counters(queries: int, hits: int) -> str:
    return (
        "# HELP vllm:prefix_cache_queries_total x\n"
        f'vllm:prefix_cache_queries_total{{engine="0",model_name="a b"}} {queries}.0\n'
        f'vllm:prefix_cache_queries_total{{engine="1",model_name="a b"}} {queries}.0\n'
        f'vllm:prefix_cache_hits_total{{engine="0",model_name="a b"}} {hits}.0\n'
    )


def test_the_servers_cache_hits_of_the_timed_requests_are_shown(serve: Any, bench: Any, script: Any) -> None:
    server = serve(script(metrics=[counters(1000, 900), counters(1500, 1000)]))
    ran = bench("5", "--repeat", "2", *QUIET, "--url", server.url)
    assert ran.status == 0, ran.stderr
    assert ran.results["counters"] == {
        "prefix_cache_queries": 1000,
        "prefix_cache_hits": 100,
        "deduplicated_documents": None,
    }
    assert "100 of 1000 tokens from the prefix cache (10.0%)" in ran.stdout


def test_an_interruption_of_overlapping_requests_keeps_what_was_measured(
    serve: Any, script: Any, tmp_path: Path
) -> None:
    server = serve(script(delay_s=0.3))
    file = tmp_path / "results.json"
    command = (*BENCH, "run", "5", "--repeat", "500", "--concurrency", "4", *QUIET, "--url", server.url)
    process = subprocess.Popen(
        (*command, "--warmup-documents", "4", "--json-summary-out", str(file)), stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 20
    while len(server.bodies) < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    results = json.loads(file.read_text())
    assert results["interrupted"] is True
    assert 1 <= len(results["cells"][0]["values_ms"]) < 100
    assert results["cells"][0]["lost"] == [], "what is given up at an interruption is not the server's fault"
