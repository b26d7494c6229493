"""A model from a hub: downloaded once for all pods that share a cache, told while it is, explained when it fails."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.service.test_leaving import Server

from reranker_service.checkpoint_files import fault_of
from reranker_service.engines.protocol import EngineLoadError
from reranker_service.hub import fetch

SCRIPT = Path(__file__).parents[2] / "hub_server.py"
MODEL = "acme/tiny-reranker"
TOKEN = "hf_secret"
MIB = 2**20


class Hub:
    """The hub's process and what it was asked."""

    def __init__(self, model: Path, log: Path, *options: str) -> None:
        self._log = log
        with log.open("w") as output:
            self.process = subprocess.Popen([sys.executable, SCRIPT, model, MODEL, *options], stdout=output)
        deadline = time.monotonic() + 30
        while not log.read_text().endswith("\n"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = json.loads(log.read_text().splitlines()[0])
        self.url, self.commit = f"http://127.0.0.1:{started['port']}", started["commit"]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def requests(self) -> list[dict[str, Any]]:
        """What was asked about the model: the hub's client asks other things as well."""
        requests = [json.loads(line) for line in self._log.read_text().splitlines()[1:]]
        return [each for each in requests if MODEL in each["path"] or each["path"].startswith("/store/")]

    def downloads(self) -> list[str]:
        """The large files that were sent, once for each time."""
        return [each["path"] for each in self.requests() if each["method"] == "GET" and each["path"][:7] == "/store/"]


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hub]]:
    """Starts hubs. This process, and those that it starts later, ask the last one, and share a cache."""
    from huggingface_hub import constants

    started: list[Hub] = []

    def run(*options: str) -> Hub:
        started.append(Hub(tiny_model, tmp_path / f"hub-{len(started)}.log", *options))
        url = started[-1].url
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        return started[-1]

    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield run
    for each in started:
        each.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Starts service processes that serve the hub's model."""
    started: list[Server] = []

    def run() -> Server:
        started.append(Server(Path(MODEL), tmp_path / f"server-{len(started)}.log", {}))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.process.wait()


def fetched(revision: str | None = None) -> Path:
    """The model's folder in the cache."""
    return fetch(MODEL, revision, lambda _: None)


def refusal(revision: str | None = None) -> tuple[str, str]:
    """Reason and message of a model that can't be had."""
    with pytest.raises(EngineLoadError) as caught:
        fetched(revision)
    return caught.value.reason, str(caught.value)


def loading(server: Server) -> dict[str, Any]:
    try:
        found: dict[str, Any] = httpx.get(f"{server.url}/health").json()["loading"] or {}
    except httpx.TransportError:
        return {}
    return found


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 90
    while not (seen := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return seen


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("cache/hub/models--*/blobs/*.incomplete"))


def test_pods_that_start_together_download_once_and_tell_how_far_it_is(
    hub: Callable[..., Hub], start: Callable[[], Server]
) -> None:
    served = hub("--bytes-per-second", str(MIB * 8))
    first, second = start(), start()
    stages: dict[Server, list[dict[str, Any]]] = {first: [], second: []}
    for server, seen in stages.items():
        seen.append(until(lambda server=server: (found := loading(server)).get("downloaded_bytes") and found))
        seen.append(until(lambda server=server, seen=seen: loading(server) != seen[0] and loading(server)))
    for early, later in stages.values():
        assert early["stage"] == "downloading"
        assert 0 < early["downloaded_bytes"] < early["total_bytes"]
        assert later["downloaded_bytes"] is None or later["downloaded_bytes"] > early["downloaded_bytes"]
    does = sorted(early["message"].partition(": ")[0] for early, _ in stages.values())
    assert does == ["downloads the model", "waits for another process to download the model"]
    for server in stages:
        server.until("/readyz", 200)
        assert httpx.get(f"{server.url}/health").json()["loading"] is None
        assert httpx.get(f"{server.url}/health").json()["model_revision"] == served.commit
    assert len(served.downloads()) == len(set(served.downloads())) > 0


def test_a_commit_that_is_cached_needs_no_hub_and_a_branch_can_do_without(hub: Callable[..., Hub]) -> None:
    served = hub()
    path = fetched()
    asked = len(served.requests())
    assert fetched(served.commit) == path
    assert len(served.requests()) == asked
    served.end()
    assert fetched() == path


def test_a_commit_of_which_the_cache_holds_a_part_is_completed(hub: Callable[..., Hub]) -> None:
    served = hub()
    path = fetched()
    (path / "model.safetensors").resolve().unlink()
    assert fetched(served.commit) == path
    assert len(served.downloads()) == len(set(served.downloads())) + 1


def test_a_transfer_that_breaks_off_goes_on_where_it_was(hub: Callable[..., Hub]) -> None:
    served = hub("--break-once")
    assert fault_of(fetched()) is None
    (rest,) = [each for each in served.requests() if each["status"] == 206]
    assert rest["bytes"] < max(each["bytes"] for each in served.requests())


def test_a_gated_model_is_fetched_with_its_token_only(hub: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    served = hub("--token", TOKEN)
    reason, message = refusal()
    assert reason == "ModelNotFound"
    assert message.startswith("model_name: acme/tiny-reranker (revision main) could not be fetched: 401 ")
    assert "model.source.hub.tokenSecretRef" in message
    assert not served.downloads()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetched().name == served.commit


def test_a_revision_that_is_not_there_is_told_from_a_hub_that_is_not(hub: Callable[..., Hub]) -> None:
    served = hub()
    assert refusal("nothing")[0] == "ModelNotFound"
    served.end()
    reason, message = refusal()
    assert reason == "DownloadFailed"
    assert message.startswith("model_name: acme/tiny-reranker (revision main) could not be fetched: ")


def test_a_process_that_was_killed_while_it_downloads_blocks_nobody_and_leaves_nothing(
    hub: Callable[..., Hub], tmp_path: Path
) -> None:
    hub("--bytes-per-second", str(MIB))
    code = f"from reranker_service.hub import fetch; fetch({MODEL!r}, None, print)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) as process:
        until(lambda: parts(tmp_path))
        process.kill()
    (part, *_) = parts(tmp_path)
    long_ago = time.time() - 3600
    os.utime(part, (long_ago, long_ago))
    served = hub()
    assert fetched().name == served.commit
    assert not part.exists()


def test_a_cache_that_can_not_be_locked_serves_what_it_holds(hub: Callable[..., Hub], tmp_path: Path) -> None:
    served = hub()
    path = fetched()
    (lock,) = tmp_path.glob("cache/hub/.locks/*/snapshot.lock")
    lock.unlink()
    lock.mkdir()  # a folder can't be opened to be written to, not even by root
    assert fetched(served.commit) == path


def test_a_name_that_can_be_no_models_is_not_asked_for(hub: Callable[..., Hub]) -> None:
    served = hub()
    with pytest.raises(EngineLoadError, match="model_name: ") as caught:
        fetch("no/model/name", None, lambda _: None)
    assert caught.value.reason == "ModelNotFound"
    assert not served.requests()
