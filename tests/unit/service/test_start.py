"""What is settled before a model is loaded: the environment vLLM finds, and the checkpoint's files."""

import json
import re
import sys
from pathlib import Path

import pytest

from reranker_service.checkpoint import is_local, resolve
from reranker_service.checkpoint_files import fault_of, longest_prompt
from reranker_service.engines.protocol import Capacity, EngineLoadError
from reranker_service.engines.vllm_common import eager, explain_load_failure
from reranker_service.engines.vllm_env import compiler, prepare_environment, usable_cpus
from reranker_service.loading import warmup_shapes
from reranker_service.settings import Settings


def prepared(*, cpu: bool = True, local_model: bool = True, is_eager: bool = True, **given: str) -> dict[str, str]:
    environ = {"PATH": "/usr/bin:/bin", **given}
    prepare_environment(cpu=cpu, local_model=local_model, eager=is_eager, environ=environ)
    return environ


def test_a_cpu_shares_its_machine_and_computes_in_one_process() -> None:
    environ = prepared()
    assert environ["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert environ["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert environ["TORCHDYNAMO_DISABLE"] == "1"


def test_a_gpu_keeps_vllms_own_processes() -> None:
    environ = prepared(cpu=False)
    assert not [name for name in environ if name.startswith(("OMP", "VLLM_CPU", "VLLM_ENABLE", "TORCHDYNAMO"))]


def test_nothing_is_reported_to_anybody() -> None:
    environ = prepared(cpu=False, local_model=False)
    assert (environ["VLLM_NO_USAGE_STATS"], environ["DO_NOT_TRACK"]) == ("1", "1")


def test_a_local_model_needs_no_network_and_another_does() -> None:
    assert prepared()["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in prepared(local_model=False)


def test_what_the_user_has_set_stays() -> None:
    environ = prepared(VLLM_CPU_KVCACHE_SPACE="8", OMP_NUM_THREADS="3")
    assert (environ["VLLM_CPU_KVCACHE_SPACE"], environ["OMP_NUM_THREADS"]) == ("8", "3")


def test_programs_beside_the_interpreter_are_found_once() -> None:
    environ = prepared()
    assert environ["PATH"].split(":")[0] == str(Path(sys.executable).parent)
    before = environ["PATH"]
    prepare_environment(cpu=True, local_model=True, eager=True, environ=environ)
    assert environ["PATH"] == before


def test_compilation_is_left_on_only_where_it_is_wanted_and_there_is_a_compiler(tmp_path: Path) -> None:
    fake = tmp_path / "g++"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    assert compiler({"PATH": str(tmp_path)}) == str(fake)
    assert "TORCHDYNAMO_DISABLE" not in prepared(is_eager=False, PATH=str(tmp_path))
    assert prepared(is_eager=False, PATH="/nowhere")["TORCHDYNAMO_DISABLE"] == "1"


@pytest.mark.parametrize(
    ("content", "cpus"), [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", None), ("x", None)]
)
def test_threads_follow_the_containers_limit(tmp_path: Path, content: str, cpus: int | None) -> None:
    limit = tmp_path / "cpu.max"
    everything = usable_cpus(tmp_path / "none")
    limit.write_text(content)
    assert usable_cpus(limit) == (cpus or everything)


def test_eager_is_the_default_on_a_cpu_only_and_the_file_has_the_last_word() -> None:
    unset, yes, no = (Settings(model_name="m", enforce_eager=value) for value in (None, True, False))
    assert [eager(settings, cpu=True) for settings in (unset, yes, no)] == [True, True, False]
    assert [eager(settings, cpu=False) for settings in (unset, yes, no)] == [False, True, False]


def test_a_local_checkpoint_is_taken_as_it_is(tiny_model: Path) -> None:
    checkpoint = resolve(str(tiny_model), None)
    assert (checkpoint.path, checkpoint.revision, checkpoint.tokenizer.yes_id) == (tiny_model, None, 9693)


def test_a_folder_of_the_hubs_cache_tells_its_commit(tiny_model: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "0123456789abcdef0123456789abcdef01234567"
    snapshot.symlink_to(tiny_model)
    assert resolve(str(snapshot), None).revision == snapshot.name


def test_a_model_that_is_not_there_is_told_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(EngineLoadError, match="nowhere is not a directory") as missing:
        resolve(str(tmp_path / "nowhere"), None)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineLoadError, match=r"lacks tokenizer\.json, \*\.safetensors") as broken:
        resolve(str(tmp_path), None)
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "model.safetensors").write_bytes(safetensors(b""))
    with pytest.raises(EngineLoadError, match="not a usable") as invalid:
        resolve(str(tmp_path), None)
    assert [error.value.reason for error in (missing, broken, invalid)] == [
        "ModelNotFound", "ModelInvalid", "ModelInvalid",
    ]  # fmt: skip


def test_a_hub_name_that_is_neither_cached_nor_reachable_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EngineLoadError, match=r"Qwen/Nothing .* could not be fetched") as caught:
        resolve("Qwen/Nothing", "main")
    assert caught.value.reason == "ModelNotFound"


@pytest.mark.parametrize(("name", "local"), [("/m", True), ("./m", True), ("../m", True), ("Qwen/m", False)])
def test_paths_are_told_from_hub_names(name: str, local: bool) -> None:
    assert is_local(name) is local


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "OutOfMemory"),
        (ValueError("Free memory on device cuda:0 (1/16 GiB) is less than desired"), "OutOfMemory"),
        (ValueError("No available memory for the KV cache blocks."), "OutOfMemory"),
        (MemoryError(), "OutOfMemory"),
        (TypeError("EngineArgs.__init__() got an unexpected keyword argument 'blok_size'"), "BadEngineArguments"),
        (ValueError("something\nelse"), "EngineFailed"),
    ],
)
def test_load_failures_are_classified_in_one_line(error: Exception, reason: str) -> None:
    found, message = explain_load_failure(error)
    assert found == reason
    assert "\n" not in message


def test_warm_up_uses_real_shapes_within_bounds() -> None:
    short = warmup_shapes(Capacity(max_prompt_tokens=160, batch_documents=100))
    assert [documents for documents, _ in short] == [1, 100, 100]
    long = warmup_shapes(Capacity(max_prompt_tokens=32000, batch_documents=100))
    assert [documents for documents, _ in long] == [1, 100, 1]
    assert max(words for _, words in long) * 6 <= 32000


def safetensors(data: bytes, described: int | None = None) -> bytes:
    """A weights file with one tensor, whose header may describe more data than there is."""
    size = len(data) if described is None else described
    header = json.dumps({"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("config.json", b"{", r"config\.json can't be read: "),
        ("config.json", b"[]", r"config\.json holds no JSON object"),
        ("config.json", b"{}", r"config\.json has no model_type"),
        ("model.safetensors", b"", r"model\.safetensors is no safetensors file, or cut short: it has 0 bytes"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1", r"is no safetensors file, or cut short"),
        ("model.safetensors", safetensors(b"123", 4), r"has \d+ bytes, but its header describes \d+: cut short\?"),
        ("model.safetensors", (4).to_bytes(8, "little") + b"nope", r"has no readable header"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "two.safetensors"}}', r"lacks two\.safetensors, which"),
    ],
)
def test_a_broken_file_of_a_checkpoint_is_named(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(safetensors(b"1234"))
    assert fault_of(tmp_path) is None
    (tmp_path / name).write_bytes(content)
    found = fault_of(tmp_path)
    assert found is not None
    assert re.search(fault, found), found


@pytest.mark.parametrize(
    ("config", "most"),
    [
        ({"max_position_embeddings": 2048}, 2048),
        ({"max_position_embeddings": 2048, "rope_scaling": None}, 2048),
        ({"max_position_embeddings": 2048, "rope_parameters": {"rope_type": "default"}}, 2048),
        ({"max_position_embeddings": 2048, "rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, None),
        ({}, None),
    ],
)
def test_a_models_own_length_is_known_unless_it_is_extended(
    tmp_path: Path, config: dict[str, object], most: int | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert longest_prompt(tmp_path) == most
