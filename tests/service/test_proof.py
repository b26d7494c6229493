"""The score check with a real engine, and starts that fail: what a person or an operator sees of them from outside."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import Service

pytestmark = pytest.mark.timeout(900)

# It loads in a few seconds, and its scores are those of every other engine.
BACKEND = "qwen3_packed"


def check_of(service: Service) -> dict[str, Any]:
    check: dict[str, Any] = service.get("/health").json()["score_check"]
    return check


def until_checked(service: Service) -> dict[str, Any]:
    """The check's figures once it is over, whether or not the process serves."""
    service.wait("/livez")
    service.wait_for(lambda: service.get("/readyz").json()["status"] != "loading")
    return check_of(service)


@pytest.fixture(scope="module")
def recorded(start_service: Callable[..., Service]) -> dict[str, Any]:
    """A baseline as the operator makes it from what a proved pod shows, with the compact format."""
    service = start_service(BACKEND)
    service.wait("/readyz")
    health = service.get("/health").json()
    assert (health["score_check"]["status"], health["score_check"]["baseline"]["status"]) == ("passed", "none")
    service.terminate()
    return {
        "version": 1,
        "model": health["model"],
        "revision": health["model_revision"],
        "instruction_format": health["instruction_format"],
        "instruction": health["instruction"],
        "golden_set_sha256": health["score_check"]["golden_set"]["sha256"],
        "recorded_by": {"backend": health["backend"], "engine_version": health["engine_version"]},
        "log_odds": health["score_check"]["log_odds"],
    }


def test_the_same_scoring_is_compared_with_its_baseline(
    start_service: Callable[..., Service], recorded: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(recorded))
    service = start_service(BACKEND, score_check={"baseline": str(path)})
    service.wait("/readyz")
    baseline = check_of(service)["baseline"]
    assert (baseline["status"], baseline["compared"]) == ("compared", sum(map(len, recorded["log_odds"])))
    assert baseline["max_drift"] < 1e-4


def test_prompts_of_the_wrong_format_are_caught_by_the_baseline(
    start_service: Callable[..., Service], recorded: dict[str, Any], tmp_path: Path
) -> None:
    """They rank well, too, so that only earlier scores can tell."""
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(recorded | {"instruction_format": "standard"}))
    service = start_service(BACKEND, block={"instruction_format": "standard"}, score_check={"baseline": str(path)})
    check = until_checked(service)
    assert (check["status"], check["reason"]) == ("failed", "Drift")
    assert check["baseline"]["max_drift"] > 0.5
    assert check["golden_set"]["violations"] == 0


def test_a_model_that_ranks_otherwise_never_turns_ready_and_stays_up(
    start_service: Callable[..., Service], tiny_model: Path, tmp_path: Path
) -> None:
    golden = json.loads((tiny_model / "golden.json").read_text())
    for case in golden["cases"]:
        case["ordered"] = [[worse, better, margin] for better, worse, margin in case["ordered"]]
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    service = start_service(BACKEND, score_check={"golden_set": str(tmp_path / "golden.json")})
    check = until_checked(service)
    assert (check["status"], check["reason"]) == ("failed", "OrderViolated")
    assert check["golden_set"]["violations"] == check["golden_set"]["pairs"]
    assert service.get("/health").json()["status"] == "score_check_failed"
    assert [service.get(path).status_code for path in ("/livez", "/readyz", "/health")] == [200, 503, 503]
    refused = service.post(query="a", documents=["b"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "score_check_failed")
    service.terminate()
    assert service.process.wait(30) == 0


def test_weights_that_were_cut_short_are_told_from_everything_else(
    start_service: Callable[..., Service], tiny_model: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "model"
    shutil.copytree(tiny_model, broken)
    weights = broken / "model.safetensors"
    with weights.open("rb+") as file:
        file.truncate(weights.stat().st_size // 2)
    service = start_service(BACKEND, model=broken)
    assert service.process.wait(120) == 1
    message = service.termination_log.read_text()
    assert message.startswith(f"ModelInvalid: {weights} has ")
    last = json.loads(service.log.read_text().splitlines()[-1])
    assert (last["level"], last["message"]) == ("error", f"could not start: {message}")


def test_an_engine_argument_that_does_not_exist_is_named(start_service: Callable[..., Service]) -> None:
    service = start_service("qwen3_vllm_score", block={"engine_args": {"no_such_argument": 1}})
    assert service.process.wait(300) == 1
    message = service.termination_log.read_text()
    assert message.startswith("BadEngineArguments: ")
    assert "no_such_argument" in message


def test_a_cache_larger_than_the_machines_memory_is_told_as_that(
    start_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "100000")  # GiB
    service = start_service("qwen3_vllm_score")
    assert service.process.wait(300) == 1
    assert service.termination_log.read_text().startswith("OutOfMemory: ")
