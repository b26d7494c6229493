"""The configuration: the seed's layout, the environment on top, and errors that name the key."""

import re
from pathlib import Path

import pytest

from reranker_service.__main__ import main
from reranker_service.config_file import ConfigError
from reranker_service.settings import Settings, load_settings, unread_variables

FILE = """
services:
  rerank:
    backend: qwen3_vllm_score
    backends:
      qwen3_vllm_score:
        model_name: Qwen/Qwen3-Reranker-0.6B
        revision: null
        max_model_len: 160
        infer_batch_size: 100
        sort_by_doc_length: true
        enable_prefix_caching: true
        enforce_eager: false
        dtype: float16
        tensor_parallel_size: 1
        gpu_memory_utilization: 0.20
        instruction: Rank products by query with category & style match prioritized
        instruction_format: compact
        engine_args: {max_num_seqs: 64}
      qwen3_vllm:
        model_name: /models/other
        instruction_format: standard
    server:
      port: 9000
      max_documents: 500
"""


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(FILE)
    monkeypatch.setenv("RERANKER_CONFIG", str(path))
    return path


def problems(path: Path, old: str, new: str) -> list[str]:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_settings()
    return caught.value.problems


def test_the_selected_block_and_the_server_are_read(configured: Path) -> None:
    settings = load_settings()
    assert settings.backend == "qwen3_vllm_score"
    assert settings.model_name == "Qwen/Qwen3-Reranker-0.6B"
    assert settings.enforce_eager is False
    assert settings.gpu_memory_utilization == 0.2
    assert settings.engine_args == {"max_num_seqs": 64}
    assert (settings.server.port, settings.server.max_documents, settings.server.drain_accept_s) == (9000, 500, 3.0)


def test_the_backend_line_alone_switches_the_scenario(configured: Path) -> None:
    configured.write_text(FILE.replace("backend: qwen3_vllm_score", "backend: qwen3_vllm"))
    settings = load_settings()
    assert (settings.backend, settings.model_name, settings.instruction_format) == (
        "qwen3_vllm", "/models/other", "standard",
    )  # fmt: skip


def test_the_environment_wins(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANKER_BACKEND", "qwen3_vllm")
    monkeypatch.setenv("RERANKER_MAX_MODEL_LEN", "512")
    monkeypatch.setenv("RERANKER_SERVER__PORT", "1234")
    settings = load_settings()
    assert (settings.backend, settings.model_name, settings.max_model_len) == ("qwen3_vllm", "/models/other", 512)
    assert (settings.server.port, settings.server.max_documents) == (1234, 500)


def test_variables_that_kubernetes_makes_for_a_service_named_reranker_are_no_settings(
    configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANKER_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("RERANKER_SERVICE_HOST", "10.0.0.1")
    assert load_settings().server.port == 9000


def test_variables_alone_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RERANKER_CONFIG", raising=False)
    monkeypatch.setenv("RERANKER_MODEL_NAME", "/models/tiny")
    assert load_settings() == Settings(model_name="/models/tiny")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("max_model_len:", "max_model_length:",
         r"services\.rerank\.backends\.qwen3_vllm_score\.max_model_length: unknown key\. Did you mean max_model_len\?"),
        ("port: 9000", "prot: 9000", r"rerank\.server\.prot: unknown key\. Did you mean port\? Allowed: host"),
        ("    server:", "    servers:", r"services\.rerank\.servers: unknown key\. Did you mean server\?"),
        ("services:", "service:", r": service: unknown key\. Did you mean services\?"),
        ("      qwen3_vllm:", "      vllm:", r"backends\.vllm: unknown key.*Allowed: qwen3_vllm, qwen3_vllm_score"),
        ("max_model_len: 160", "max_model_len: many", r"qwen3_vllm_score\.max_model_len: .*\(it is 'many'\)"),
        ("dtype: float16", "dtype: fp16", r"qwen3_vllm_score\.dtype: .*'float16'.*\(it is 'fp16'\)"),
        ("model_name: Qwen/Qwen3-Reranker-0.6B", "revision: a", r"qwen3_vllm_score\.model_name: missing"),
        ("instruction_format: standard", "instruction_format: long", r"backends\.qwen3_vllm\.instruction_format: "),
        ("{max_num_seqs: 64}", "{dtype: float32, seed: 1}", r"engine_args may not hold dtype: "),
        ("max_documents: 500", "max_documents: 20000", r"server: max_queued_documents \(10000\) is below"),
        ("backend: qwen3_vllm_score", "backend: fastest", r"services\.rerank\.backend: .*\(it is 'fastest'\)"),
        ("    server:\n      port: 9000", "    server: 9000\n    x:", r"server: must be a mapping, not 9000"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_answered_with_its_key(configured: Path, old: str, new: str, expected: str) -> None:
    found = problems(configured, old, new)
    assert [line for line in found if re.search(expected, line)], found
    assert all(line.startswith(str(configured)) for line in found)


def test_a_mistake_in_a_variable_is_answered_with_the_variable(
    configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANKER_MAX_MODEL_LEN", "many")
    monkeypatch.setenv("RERANKER_SERVER__PROT", "1")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    first, second = sorted(caught.value.problems)
    assert first.startswith("RERANKER_MAX_MODEL_LEN: ")
    assert second.startswith("RERANKER_SERVER__PROT: unknown key. Did you mean port?")


def test_a_variable_that_should_be_json_and_is_not(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANKER_ENGINE_ARGS", "{max_num_seqs: 1}")
    with pytest.raises(ConfigError, match="engine_args"):
        load_settings()


def test_all_unknown_keys_are_shown_at_once(configured: Path) -> None:
    configured.write_text(FILE.replace("port:", "prot:").replace("dtype:", "dtyp:"))
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("content", ["a: [", "- 1", "\x00"])
def test_a_file_that_is_no_configuration_at_all(configured: Path, content: str) -> None:
    configured.write_text(content)
    with pytest.raises(ConfigError, match=str(configured)):
        load_settings()


def test_the_program_ends_with_2_and_one_line_per_problem(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured.write_text(FILE.replace("port:", "prot:").replace("dtype:", "dtyp:"))
    assert main([]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"configuration error: {configured}: services.rerank.") for line in lines)


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANKER_CONFIG", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        load_settings()


def test_the_sections_beside_the_backends_are_read_and_overridden(
    configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured.write_text(
        FILE
        + "      api_keys_file: /keys\n      metrics_auth: true\n      max_queued_tokens: 5\n"
        + "    score_check: {mode: warn, golden_set: /golden.json, baseline: null}\n"
    )
    monkeypatch.setenv("RERANKER_SCORE_CHECK__MAX_DRIFT", "0.5")
    settings = load_settings()
    assert settings.score_check.model_dump() == {
        "mode": "warn", "golden_set": "/golden.json", "baseline": None, "max_drift": 0.5,
    }  # fmt: skip
    assert (settings.server.api_keys_file, settings.server.metrics_auth) == ("/keys", True)
    assert (settings.server.max_queued_tokens, settings.server.max_document_tokens) == (5, None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "    score_check: {mod: warn}",
            r"score_check\.mod: unknown key\. Did you mean mode\? Allowed: mode, golden_set",
        ),
        ("    score_check: {mode: maybe}", r"score_check\.mode: .*Allowed: enforce, warn, off \(it is 'maybe'\)"),
        ("    score_check: {max_drift: 0}", r"score_check\.max_drift: .*Allowed: a number, above 0 \(it is 0\)"),
        ("      log_format: xml", r"server\.log_format: .*Allowed: json, text \(it is 'xml'\)"),
        ("      max_document_tokens: 0", r"max_document_tokens: .*Allowed: a whole number, at least 1 \(or null\)"),
        ("      metrics_auth: true", r"server: metrics_auth needs api_keys_file"),
    ],
)
def test_a_mistake_in_a_section_names_what_is_allowed(configured: Path, line: str, expected: str) -> None:
    configured.write_text(f"{FILE}{line}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert [problem for problem in caught.value.problems if re.search(expected, problem)], caught.value.problems


FP8 = """
services:
  rerank:
    backend: qwen3_packed
    backends:
      qwen3_packed: {model_name: a/b, quantization: fp8}
      qwen3_vllm: {model_name: a/b}
    score_check: {mode: enforce}
"""


def test_fp8_is_a_matter_of_the_packed_backend(configured: Path) -> None:
    configured.write_text(FP8)
    assert load_settings().quantization == "fp8"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("mode: enforce", "mode: warn"), r"backends\.qwen3_packed: .*score_check\.mode is warn: set that to enforce"),
        (("mode: enforce", "mode: 'off'"), r"backends\.qwen3_packed: .*score_check\.mode is off: set that to enforce"),
        (("qwen3_packed", "qwen3_vllm_score"), r"backends\.qwen3_vllm_score: .*which only qwen3_packed computes"),
        (("backend: qwen3_packed", "backend: qwen3_vllm"), None),
        (("{model_name: a/b}", "{model_name: a/b, quantization: fp8}"), r"\.qwen3_vllm: .*which only qwen3_packed"),
        (("fp8}", "fp8, dtype: float16}"), r"qwen3_packed: .*in bfloat16, but dtype is float16: set dtype to auto"),
        (("fp8}", "int4}"), r"qwen3_packed\.quantization: .*Allowed: fp8 \(or null\) \(it is 'int4'\)"),
    ],
    ids=str,
)
def test_fp8_that_would_not_be_computed_or_not_be_checked_is_refused(
    configured: Path, change: tuple[str, str], expected: str | None
) -> None:
    configured.write_text(FP8.replace(*change))
    if expected is None:
        assert load_settings().quantization is None
        return
    with pytest.raises(ConfigError) as caught:
        load_settings()
    (problem,) = caught.value.problems
    assert re.search(expected, problem), problem


def test_the_blocks_in_use_and_out_of_use_are_complained_of_together(configured: Path) -> None:
    configured.write_text(FILE.replace("dtype: float16", "dtype: fp16").replace("standard", "long"))
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert len(caught.value.problems) == 2


def test_a_variable_that_sets_nothing_is_found_unless_kubernetes_made_it() -> None:
    environ = {
        "RERANKER_CONFIG": "", "RERANKER_MAX_MODEL_LEN": "", "RERANKER_SERVER__PORT": "", "RERANKER_BACKEND": "",
        "RERANKER_PORT": "", "RERANKER_PORT_8000_TCP_ADDR": "", "RERANKER_SERVICE_HOST": "",
        "RERANKER_SERVICE_PORT_HTTP": "", "RERANKER_PRODUCTS_PORT_8000_TCP": "", "PATH": "",
        "RERANKER_MAX_MODEL_LENGTH": "", "RERANKER_SCORE_CHECK__MOD": "",
    }  # fmt: skip
    assert unread_variables(environ) == ["RERANKER_MAX_MODEL_LENGTH", "RERANKER_SCORE_CHECK__MOD"]


def test_check_config_notes_a_variable_that_sets_nothing(
    configured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RERANKER_MAX_MODEL_LENGTH", "10")
    assert main(["check-config"]) == 0
    assert "note: the variable RERANKER_MAX_MODEL_LENGTH sets nothing" in capsys.readouterr().err
