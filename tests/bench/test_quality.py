"""`smoke`, `evaluate` and `overhead`: does it answer, does it rank well, and what does the client itself cost?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = (sys.executable, "-m", "reranker_bench.cli")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((*BENCH, *arguments), capture_output=True, text=True, timeout=60, check=False)


def by_common_characters(query: str, documents: list[str]) -> list[float]:
    return [len(set(query) & set(document)) / 100 for document in documents]


def backwards(query: str, documents: list[str]) -> list[float]:
    return [-score for score in by_common_characters(query, documents)]


def test_smoke_tries_every_dialect_and_says_all_is_well(serve: Any, script: Any) -> None:
    server = serve(script(rank=by_common_characters))
    ran = run("smoke", "--url", server.url)
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.startswith(f"{server.url}: qwen3_vllm, compact\n")
    assert ran.stdout.count("| ok ") == 6
    assert "all is well" in ran.stdout


def test_smoke_fails_where_the_best_title_is_not_first(serve: Any, script: Any) -> None:
    server = serve(script(rank=backwards))
    ran = run("smoke", "--url", server.url, "--dialects", "score,tei")
    assert ran.returncode == 1
    assert ran.stdout.count("FAILED") == 2
    assert "the query's own title is not the best" in ran.stdout
    assert "NOT WELL" in ran.stdout
    assert run("smoke", "--url", server.url, "--ignore-order").returncode == 0


def test_smoke_tells_a_dialect_that_is_not_served_from_one_that_fails(serve: Any, script: Any) -> None:
    server = serve(script(rank=by_common_characters, faults={2: "gone", 4: "status", 8: "gone"}))
    ran = run("smoke", "--url", server.url)
    assert ran.returncode == 1
    verdicts = [line.split("|")[3].strip() for line in ran.stdout.splitlines() if line.startswith("| ")][2:]
    assert verdicts == ["ok", "not served", "ok", "FAILED", "ok", "ok"]
    wanted = run("smoke", "--url", server.url, "--dialects", "rerank,v1")
    assert wanted.returncode == 1, "what is asked for by name has to be there"


def test_smoke_of_several_servers_goes_on_after_one_that_is_not_there(serve: Any, script: Any, free_port: int) -> None:
    server = serve(script(rank=by_common_characters))
    ran = run("smoke", "--url", f"http://127.0.0.1:{free_port}", "--url", server.url)
    assert ran.returncode == 3
    assert "is not ready" in ran.stderr
    assert "all is well" in ran.stdout
    assert run("smoke", "--dialects", "elvish").returncode == 2


QUERIES = {"q1": "red shoes", "q2": "blue hat", "q3": "green tea"}
RELEVANT = {"q1": "shoes, red", "q2": "hat, blue", "q3": "tea, green"}
OTHERS = ("mmmmm", "www", "ppppp")


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    path = tmp_path / "judged.jsonl"
    entries = [
        {
            "query": query,
            "documents": [{"text": RELEVANT[name], "relevance": 2}, *({"text": t, "relevance": 0} for t in OTHERS)],
        }
        for name, query in QUERIES.items()
    ]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def figures(stdout: str) -> dict[str, list[str]]:
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in stdout.splitlines() if line.startswith("| ")]
    return {f"{row[0]} {row[1]}" if len(row) > 4 else row[0]: row[1:] for row in rows}


def test_a_good_and_a_bad_ranking_stand_side_by_side(serve: Any, script: Any, jsonl: Path) -> None:
    good, bad = serve(script(rank=by_common_characters)), serve(script(rank=backwards))
    ran = run("evaluate", f"good={good.url}", f"bad={bad.url}", "--jsonl", str(jsonl))
    assert ran.returncode == 0, ran.stderr
    table = figures(ran.stdout)
    assert table["good"] == ["3", "1.0000", "1.0000"]
    # The one relevant document is last of four: 1 / log2(5), and 1 / 4.
    assert table["bad"] == ["3", "0.4307", "0.2500"]
    assert table["bad MRR@10"][1:] == ["-0.7500", "-0.7500 to -0.7500", "0", "3", "0", "worse"]


def test_figures_are_kept_for_a_comparison_with_what_runs_later(
    serve: Any, script: Any, jsonl: Path, tmp_path: Path
) -> None:
    kept = str(tmp_path / "kept.json")
    health = [(200, {"status": "ok", "backend": "qwen3_vllm", "instruction_format": "standard"})]
    bad, good = serve(script(rank=backwards)), serve(script(rank=by_common_characters, health=health))
    assert run("evaluate", bad.url, "--jsonl", str(jsonl), "--out", kept).returncode == 0
    ran = run("evaluate", good.url, "--jsonl", str(jsonl), "--against", kept)
    assert ran.returncode == 0, ran.stderr
    assert "Against qwen3_vllm, compact, query by query" in ran.stdout
    assert figures(ran.stdout)["qwen3_vllm, standard NDCG@10"][-1] == "better"
    assert run("evaluate", good.url, "--jsonl", str(jsonl), "--against", kept, "--k", "5").returncode == 2


def test_equal_scores_are_not_a_perfect_ranking(serve: Any, script: Any, tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    documents = [{"text": f"document {number}", "relevance": int(number == 0)} for number in range(20)]
    path.write_text("".join(json.dumps({"query": f"query {n}", "documents": documents}) + "\n" for n in range(40)))
    ran = run("evaluate", f"same={serve(script()).url}", "--jsonl", str(path))
    assert 0.02 < float(figures(ran.stdout)["same"][2]) < 0.4


@pytest.fixture
def trec(tmp_path: Path) -> tuple[str, ...]:
    texts = {f"d{name}": text for name, text in RELEVANT.items()} | {f"x{n}": text for n, text in enumerate(OTHERS)}
    (tmp_path / "queries.tsv").write_text("".join(f"{name}\t{query}\n" for name, query in QUERIES.items()))
    (tmp_path / "documents.jsonl").write_text(
        "".join(json.dumps({"_id": n, "text": t}) + "\n" for n, t in texts.items())
    )
    (tmp_path / "qrels").write_text("".join(f"{name} 0 d{name} 1\n" for name in QUERIES))
    run_lines = [f"{q} Q0 {d} {r} 1.0 first\n" for q in QUERIES for r, d in enumerate(["x0", "x1", f"d{q}", "x2"], 1)]
    (tmp_path / "run").write_text("".join(run_lines))
    flags = {"qrels": "qrels", "queries": "queries.tsv", "documents": "documents.jsonl", "candidates": "run"}
    return tuple(f"--{flag}={tmp_path / name}" for flag, name in flags.items())


def test_trec_files_are_read_and_long_lists_sent_in_parts(serve: Any, script: Any, trec: tuple[str, ...]) -> None:
    server = serve(script(rank=by_common_characters))
    ran = run("evaluate", f"good={server.url}", *trec, "--batch", "3")
    assert ran.returncode == 0, ran.stderr
    assert figures(ran.stdout)["good"] == ["3", "1.0000", "1.0000"]
    assert [len(titles) for titles in server.titles] == [3, 1] * 3


def test_a_query_that_fails_is_named_and_left_out_for_all(serve: Any, script: Any, jsonl: Path) -> None:
    server = serve(script(rank=by_common_characters, faults={2: "status"}))
    ran = run("evaluate", f"good={server.url}", "--jsonl", str(jsonl))
    assert ran.returncode == 1
    assert figures(ran.stdout)["good"][0] == "2"
    assert "failed: good: query 2: status 429" in ran.stderr


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("judged.jsonl", '{"query": "q"}', "judged.jsonl, line 1: must be like"),
        ("judged.jsonl", '{"query": "q", "documents": [{"text": "a", "relevance": true}]}', "True is not a number"),
        ("judged.jsonl", '{"query": "q", "documents": [{"text": "a", "relevance": 1}]}', "holds no query"),
        ("qrels", "q1 0 dq1\n", "qrels, line 1: must be `query-id 0 document-id relevance`"),
        ("qrels", "q9 0 dq1 1\nq9 0 x1 0\n", "query 'q9'"),
        ("run", "q1 Q0 nowhere 1 1.0 x\n", "document 'nowhere' of query 'q1' is not there"),
        ("run", "q1 nowhere\n", "run, line 1: must be"),
        ("queries.tsv", "q1 red shoes\n", "queries.tsv, line 1: must be an id, a tab, and the text"),
        ("documents.jsonl", '{"text": "a"}', "documents.jsonl, line 1"),
    ],
)
def test_judgements_that_cannot_be_used_are_refused_by_file_and_line(
    serve: Any, script: Any, trec: tuple[str, ...], tmp_path: Path, *, name: str, content: str, complaint: str
) -> None:
    (tmp_path / name).write_text(content)
    if name == "qrels":
        trec = trec[:-1]
    given = ("--jsonl", str(tmp_path / name)) if name == "judged.jsonl" else trec
    server = serve(script())
    ran = run("evaluate", server.url, *given)
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert server.bodies == []


def test_what_is_evaluated_must_be_said_once_and_clearly(serve: Any, script: Any, jsonl: Path) -> None:
    url = serve(script()).url
    assert "give --jsonl, or --qrels" in run("evaluate", url).stderr
    assert "two targets are called 'qwen3_vllm, compact'" in run("evaluate", url, url, "--jsonl", str(jsonl)).stderr
    assert "must be like http://host:8000" in run("evaluate", "nonsense", "--jsonl", str(jsonl)).stderr


def test_overhead_prints_what_the_client_costs(tmp_path: Path) -> None:
    ran = run("overhead", "1,50", "--requests", "20")
    assert ran.returncode == 0, ran.stderr
    rows = [line.split("|")[1:-1] for line in ran.stdout.splitlines()[2:]]
    assert [int(row[0]) for row in rows] == [1, 50]
    assert all(float(cell) > 0 for row in rows for cell in row)
