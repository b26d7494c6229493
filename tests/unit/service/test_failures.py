"""A start that fails: one line, the termination message, the exit code; and the command that checks a configuration."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reranker_service.__main__ import main
from reranker_service.engines.protocol import EngineLoadError
from reranker_service.failures import StartError, leave_message, listen, report

CONFIG = """
services:
  rerank:
    backends:
      qwen3_vllm_score:
        model_name: /models/tiny
        engine_args: {hf_token: hf_abcdef, max_num_batched_tokens: 4096}
    server: {port: 9000}
"""


def run_scripted(tmp_path: Path, **script: Any) -> tuple[int, list[str], str]:
    """Exit code, lines of the log and termination message of a whole process."""
    message = tmp_path / "termination-log"
    script.setdefault("server", {})["termination_log"] = str(message)
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.service.scripted_server", json.dumps(script)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines(), message.read_text() if message.exists() else ""


def test_a_port_that_is_taken_is_found_before_the_model_is_loaded(tmp_path: Path, tiny_model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        # Loading would take longer than the test may.
        code, lines, message = run_scripted(tmp_path, model_name=str(tiny_model), port=port, load_s=3600)
    assert code == 1
    assert message == f"PortTaken: server.port: another process listens on 127.0.0.1:{port} already"
    (line,) = lines
    assert line.endswith(f"could not start: {message}")


def test_a_model_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    code, lines, message = run_scripted(tmp_path, model_name=str(tmp_path / "nothing"), port=0)
    assert code == 1
    assert message == f"ModelNotFound: model_name: {tmp_path / 'nothing'} is not a directory"
    assert lines[-1].endswith(f"could not start: {message}")
    assert not [line for line in lines if "Traceback" in line]


def test_an_address_that_is_not_ours_is_a_bad_configuration(tmp_path: Path, tiny_model: Path) -> None:
    code, _, message = run_scripted(tmp_path, model_name=str(tiny_model), port=0, server={"host": "192.0.2.1"})
    assert code == 2
    assert message.startswith("BadConfiguration: server.host, server.port: can't listen on 192.0.2.1:0: ")


def test_a_name_that_is_no_address_is_a_bad_configuration() -> None:
    with pytest.raises(StartError, match=r"server\.host: no\.such\.name\.invalid is no address") as caught:
        listen("no.such.name.invalid", 8000)
    assert caught.value.reason == "BadConfiguration"


def test_two_processes_can_not_listen_on_one_port() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(StartError) as caught:
        listen("127.0.0.1", first.getsockname()[1])
    assert caught.value.reason == "PortTaken"


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (EngineLoadError("OutOfMemory", "16 GiB\n  are too few"), "OutOfMemory: 16 GiB are too few", 1),
        (EngineLoadError("BadConfiguration", "max_model_len"), "BadConfiguration: max_model_len", 2),
        (MemoryError(), "OutOfMemory: MemoryError()", 1),
        (
            EngineLoadError("EngineFailed", "[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
            "OutOfMemory: [enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes",
            1,
        ),
        (RuntimeError("no idea"), "EngineFailed: RuntimeError('no idea')", 1),
    ],
)
def test_every_failure_leaves_its_reason_first(tmp_path: Path, error: Exception, line: str, code: int) -> None:
    path = tmp_path / "log"
    assert report(error, str(path)) == code
    assert path.read_text() == line


def test_a_termination_message_keeps_within_what_kubernetes_keeps(tmp_path: Path) -> None:
    leave_message("EngineFailed", "界" * 5000, str(tmp_path / "log"))
    content = (tmp_path / "log").read_bytes()
    assert 4090 < len(content) <= 4096
    assert content.decode().endswith("界")


def test_a_termination_log_that_can_not_be_written_hides_no_failure(tmp_path: Path) -> None:
    assert report(EngineLoadError("OutOfMemory", "x"), str(tmp_path / "no" / "folder")) == 1


def test_a_configuration_that_can_not_be_read_leaves_a_message_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RERANKER_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("RERANKER_SERVER__TERMINATION_LOG", str(tmp_path / "log"))
    assert main([]) == 2
    assert (tmp_path / "log").read_text().startswith(f"BadConfiguration: {tmp_path / 'none.yaml'}: no such file")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_check_config_prints_what_a_configuration_comes_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    assert main(["check-config", str(path)]) == 0
    output = capsys.readouterr()
    rerank = yaml.safe_load(output.out)["services"]["rerank"]
    assert rerank["backend"] == "qwen3_vllm_score"
    assert rerank["server"]["port"] == 9000
    assert rerank["server"]["max_documents"] == 1000
    assert rerank["score_check"]["mode"] == "enforce"
    block = rerank["backends"]["qwen3_vllm_score"]
    assert block["engine_args"] == {"hf_token": "(hidden)", "max_num_batched_tokens": 4096}
    assert output.err == ""
    path.write_text(output.out)  # what it prints is a configuration again
    assert main(["check-config", str(path)]) == 0


def test_check_config_prints_every_problem_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("port: 9000", "port: 99999, log_format: xml"))
    assert main(["check-config", str(path)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"configuration error: {path}: services.rerank.server.port: ")
    assert first.endswith("Allowed: a whole number, at least 0, at most 65535 (it is 99999)")
    assert second.endswith("Allowed: json, text (it is 'xml')")


def test_check_config_reads_the_golden_set_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = tmp_path / "golden.json"
    golden.write_text('{"version": 1, "name": "x", "cases": []}')
    path = tmp_path / "config.yaml"
    path.write_text(f"{CONFIG}    score_check: {{golden_set: {golden}}}\n")
    assert main(["check-config", str(path)]) == 2
    assert f"score_check.golden_set: {golden}: cases: " in capsys.readouterr().err
    golden.unlink()
    assert main(["check-config", str(path)]) == 0  # in a pod it may be there
    assert f"note: services.rerank.score_check.golden_set: {golden} is not on this machine" in capsys.readouterr().err
