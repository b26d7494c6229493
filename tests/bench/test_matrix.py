"""`reranker-bench matrix` and `patch-config`: every scenario measured on a service that is restarted for each."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

BENCH = (sys.executable, "-m", "reranker_bench.cli")
SERVICE = Path(__file__).with_name("service_from_yaml.py")
CONFIG = """\
# Kept as it is, this comment too.
services:
  rerank:
    backend: qwen3_vllm_score   # the one in use\r
    backends:
      qwen3_vllm: {instruction_format: 'compact'}
"""
SMALL = ("5,6", "--repeat", "2", "--quiet-runs", "--warmup-requests", "1", "--warmup-documents", "4")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_bytes(CONFIG.encode())
    path.chmod(0o640)
    return path


Matrix = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def matrix(config: Path, free_port: int, tmp_path: Path) -> Iterator[Matrix]:
    def run(*arguments: str, serve: bool = True) -> subprocess.CompletedProcess[str]:
        child = ("--serve", f"{sys.executable} {SERVICE} {config} {free_port}") if serve else ()
        command = (*BENCH, "matrix", str(config), *SMALL, "--url", f"http://127.0.0.1:{free_port}", *child, *arguments)
        command = (*command, "--out", str(tmp_path / "out"), "--ready", "20")
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    yield run
    assert config.read_bytes() == CONFIG.encode(), "the configuration must be as it was, to the byte"
    assert config.stat().st_mode & 0o777 == 0o640


def outcomes(tmp_path: Path) -> list[tuple[str, str, str]]:
    summary = json.loads((tmp_path / "out" / "matrix.json").read_text())
    return [(one["backend"], one["instruction_format"], one["status"]) for one in summary["outcomes"]]


def test_all_pairs_are_measured_each_on_the_service_that_it_names(
    matrix: Matrix, tmp_path: Path, free_port: int
) -> None:
    ran = matrix()
    assert ran.returncode == 0, ran.stderr
    pairs = [(b, f) for b in ("qwen3_vllm", "qwen3_vllm_score") for f in ("compact", "standard")]
    assert outcomes(tmp_path) == [(*pair, "measured") for pair in pairs]
    for backend, instruction_format in pairs:
        health = json.loads((tmp_path / "out" / f"{backend}-{instruction_format}.json").read_text())["environment"]
        assert health["health"] == {"status": "ok", "backend": backend, "instruction_format": instruction_format}
        assert f"| {backend:<16} | {instruction_format:<18} |" in ran.stdout
    assert "4 of 4 scenarios measured, 16 samples, 0 lost" in ran.stdout
    assert (tmp_path / "out" / "report.md").read_text() == ran.stdout
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{free_port}/health")


def test_a_scenario_that_fails_does_not_end_the_others(matrix: Matrix, tmp_path: Path) -> None:
    ran = matrix("--backends", "qwen3_vllm,broken,qwen3_vllm_score", "--formats", "standard")
    assert ran.returncode == 1
    assert [status for *_, status in outcomes(tmp_path)] == ["measured", "failed", "measured"]
    assert "the service ended with status 1" in ran.stderr
    assert "no such engine: broken" in ran.stdout
    assert "2 of 3 scenarios measured" in ran.stdout


def test_a_service_of_ones_own_is_restarted_by_a_command_and_once_more_at_the_end(
    matrix: Matrix, config: Path, free_port: int, tmp_path: Path
) -> None:
    service = subprocess.Popen((sys.executable, SERVICE, config, str(free_port)))
    try:
        ran = matrix("--restart", f"echo restarted >>{tmp_path}/restarts", serve=False)
    finally:
        service.kill()
        service.wait()
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "restarts").read_text() == "restarted\n" * 5


def test_a_restart_command_that_fails_is_shown_with_what_it_said(matrix: Matrix, tmp_path: Path) -> None:
    ran = matrix("--restart", "echo no such unit >&2; exit 4", "--backends", "qwen3_vllm", serve=False)
    assert ran.returncode == 1
    assert [status for *_, status in outcomes(tmp_path)] == ["failed", "failed"]
    assert "ended with status 4" in ran.stdout
    assert "no such unit" in ran.stdout


def test_a_stranger_on_the_port_is_not_measured(matrix: Matrix, config: Path, free_port: int) -> None:
    service = subprocess.Popen((sys.executable, SERVICE, config, str(free_port)))
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{free_port}/health")
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        ran = matrix()
    finally:
        service.kill()
        service.wait()
    assert ran.returncode == 2
    assert "something answers" in ran.stderr


def test_an_interrupted_matrix_keeps_what_it_has_and_puts_the_file_back(
    config: Path, free_port: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    service = f"{sys.executable} {SERVICE} {config} {free_port}"
    load = ("5", "--duration", "3", "--quiet-runs", "--warmup-requests", "1", "--warmup-documents", "4")
    command = (*BENCH, "matrix", str(config), *load, "--url", f"http://127.0.0.1:{free_port}", "--serve", service)
    process = subprocess.Popen((*command, "--out", str(out)), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 40
    while not (out / "qwen3_vllm-compact.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [status for *_, status in outcomes(tmp_path)] == ["measured", "interrupted", "not_run", "not_run"]
    assert "1 of 4 scenarios measured" in stdout
    assert config.read_bytes() == CONFIG.encode()


def patch(*arguments: str | Path) -> Any:
    return subprocess.run((*BENCH, "patch-config", *arguments), capture_output=True, text=True, check=False)


def test_patch_config_changes_the_file_and_shows_how(config: Path) -> None:
    ran = patch(config, "--backend", "qwen3_vllm", "--instruction-format", "standard")
    assert ran.returncode == 0, ran.stderr
    expected = CONFIG.replace("backend: qwen3_vllm_score", "backend: qwen3_vllm").replace("'compact'", "'standard'")
    assert config.read_bytes() == expected.encode()
    assert config.stat().st_mode & 0o777 == 0o640
    assert "+    backend: qwen3_vllm   # the one in use" in ran.stdout
    assert patch(config, "--backend", "qwen3_vllm").stderr == f"{config}: nothing to change\n"


def test_patch_config_can_only_look_and_sets_anything_by_path(config: Path) -> None:
    ran = patch(config, "--instruction-format", "standard", "--set", "services.rerank.server.port=8080", "--dry-run")
    assert ran.returncode == 0, ran.stderr
    assert "+      qwen3_vllm_score:" in ran.stdout
    assert "+        instruction_format: standard" in ran.stdout
    assert "+      port: 8080" in ran.stdout
    assert config.read_bytes() == CONFIG.encode()


def test_patch_config_follows_a_link_and_leaves_it_one(config: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(config.name)
    assert patch(link, "--backend", "qwen3_packed").returncode == 0
    assert link.is_symlink()
    assert "backend: qwen3_packed" in config.read_text()


@pytest.mark.parametrize(
    ("content", "arguments", "complaint"),
    [
        ("a: [", ("--backend", "x"), "is not one YAML document"),
        ("a: 1", ("--instruction-format", "x"), "give --backend too"),
        ("a: 1", ("--set", "a.b=1"), "a: is not a mapping (line 1)"),
        ("a: 1", ("--set", "a"), "must be like"),
        (None, ("--backend", "x"), "can't be read"),
    ],
)
def test_patch_config_says_what_it_cannot_do(
    tmp_path: Path, content: str | None, arguments: tuple[str, ...], complaint: str
) -> None:
    file = tmp_path / "file.yaml"
    if content is not None:
        file.write_text(content)
    ran = patch(file, *arguments)
    assert ran.returncode == 2
    assert f"{file}: " in ran.stderr
    assert complaint in ran.stderr
