"""What is written down beside the figures: the server's facts, the GPU here, and the server's own counters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reranker_bench.environment import ServerInfo, local_gpu
from reranker_bench.results import termination_summary
from reranker_bench.server_counters import Counters, parse_counters


def test_the_server_says_most_and_the_user_the_rest() -> None:
    health = {"backend": "b", "model": {"name": "Qwen/X"}, "max_model_len": 160, "engine_version": "0.32", "gpu": ""}
    server = ServerInfo.of(health, gpu="Tesla T4", image="img:1", model="other")
    assert (server.backend, server.model, server.max_model_len) == ("b", "Qwen/X", 160)
    assert (server.gpu, server.image, server.engine_version) == ("Tesla T4", "img:1", "0.32")
    assert ServerInfo.of({}, model="asked").model == "asked"
    assert ServerInfo.of({"max_model_len": "long", "model": None}) == ServerInfo()


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return install


def test_the_gpu_is_looked_up_only_where_the_server_runs(nvidia_smi: Any) -> None:
    nvidia_smi('echo "NVIDIA H100 80GB HBM3, 570.86.15"')
    for url in ("http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000"):
        assert local_gpu(url) == ("NVIDIA H100 80GB HBM3", "570.86.15")
    assert local_gpu("http://reranker.default:8000") == (None, None)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('echo "L4, 550.1"; echo "L4, 550.1"', ("2 x L4", "550.1")),
        ("echo 'No devices were found'; exit 6", (None, None)),
        ("exit 0", (None, None)),
    ],
)
def test_several_gpus_and_none_are_told_apart(nvidia_smi: Any, script: str, found: Any) -> None:
    nvidia_smi(script)
    assert local_gpu("http://127.0.0.1") == found


METRICS = """\
# TYPE vllm:prefix_cache_hits_total counter
vllm:prefix_cache_hits_total{engine="0",model_name="x y {z}"} 1.5e+03
vllm:prefix_cache_hits_total{engine="1",model_name="x"} 500.0 1700000000
vllm:prefix_cache_hits_created{engine="0"} 9.0
vllm:prefix_cache_queries_total 4000
reranker_deduplicated_documents_total{backend="b"} 7.0
not a metric
"""


def test_counters_are_summed_over_engines() -> None:
    counters = parse_counters(METRICS)
    assert counters == Counters(prefix_cache_queries=4000, prefix_cache_hits=2000, deduplicated_documents=7)
    assert parse_counters("") == Counters()


def test_only_what_both_readings_have_is_a_difference() -> None:
    before, after = Counters(prefix_cache_hits=5), Counters(prefix_cache_hits=8, deduplicated_documents=1)
    assert after.since(before) == Counters(prefix_cache_hits=3)


def test_counter_that_went_back_tells_nothing() -> None:
    before, after = Counters(prefix_cache_queries=900, prefix_cache_hits=5), Counters(prefix_cache_queries=7)
    assert after.since(before) == Counters()


def test_caches_are_described_only_where_there_are_any(make_run: Any) -> None:
    assert Counters().describe() is None
    full = Counters(prefix_cache_queries=200, prefix_cache_hits=50, deduplicated_documents=2)
    assert full.describe() == (
        "server's caches: 50 of 200 tokens from the prefix cache (25.0%), 2 documents deduplicated"
    )
    assert Counters(prefix_cache_queries=0, prefix_cache_hits=0).describe() is not None


def test_the_summary_has_a_version_of_its_own(make_run: Any) -> None:
    assert json.loads(termination_summary(make_run({100: [1.0]})))["schema_version"] == 1
