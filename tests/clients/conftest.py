"""The servers that the clients are pointed at, and what the clients saw of them.

`open` is the real service with the demonstration model; those that only refuse have an engine that follows a script.
With RERANKER_CLIENTS_SCRIPTED=1 `open` has one, too: its order means nothing, but it starts in seconds.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.clients.environments import NAMES, ROOT, python_of
from tests.service.conftest import Service

QUERY = "健身女生T恤短袖"
DOCUMENTS = [
    "男士商务皮鞋 真皮",
    "健身女生T恤短袖 速干透气",
    "Running shoes for women",
    "儿童羽绒服 冬季加厚",
    "女士运动短袖T恤 跑步",
]
KEY = "key-of-the-matrix"
HOUR_S = 3600
PATIENCE_S = 600
SCRIPTED = os.environ.get("RERANKER_CLIENTS_SCRIPTED") == "1"


class ScriptedService:
    """A server process whose engine follows a script; see tests/unit/service/scripted_server.py."""

    def __init__(self, model: Path, log: Path, **script: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.unit.service.scripted_server",
                 json.dumps({"model_name": str(model), "port": port, **script})],
                cwd=ROOT, stdout=output, stderr=output,
            )  # fmt: skip

    def wait(self, path: str) -> None:
        """Until `path` answers 200."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self._log.read_text()
            try:
                if httpx.get(self.url + path, timeout=30).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(self._log.read_text())


@dataclass(frozen=True)
class Servers:
    """Addresses; `results` is what the open one answers when it is asked without any library."""

    open: str
    keyed: str
    full: str
    loading: str
    results: list[dict[str, Any]]


@pytest.fixture(scope="session")
def servers(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Four servers, all up."""
    folder = tmp_path_factory.mktemp("clients")
    keys = folder / "keys"
    keys.write_text(f"{KEY}\n")
    small = {"max_documents": 5, "max_queued_documents": 5, "max_body_bytes": 65536, "stall_timeout_s": HOUR_S}
    scripts: dict[str, dict[str, Any]] = {
        "keyed": {"server": {"api_keys_file": str(keys)}},
        "full": {"server": {**small, "request_timeout_s": HOUR_S}, "score_s": HOUR_S},
        "loading": {"load_s": HOUR_S},
        **({"open": {}} if SCRIPTED else {}),
    }
    started: dict[str, Any] = {
        name: ScriptedService(tiny_model, folder / f"{name}.log", **script) for name, script in scripts.items()
    }
    if not SCRIPTED:
        started["open"] = Service(folder, tiny_model, "qwen3_vllm_score")
    try:
        for name, server in started.items():
            server.wait("/livez" if name == "loading" else "/readyz")
        fill(started["full"].url)
        response = httpx.post(
            f"{started['open'].url}/rerank", json={"query": QUERY, "documents": DOCUMENTS}, timeout=PATIENCE_S
        )
        assert response.status_code == 200, response.text
        yield Servers(**{name: server.url for name, server in started.items()}, results=response.json()["results"])
    finally:
        for server in started.values():
            server.process.kill()
            server.process.wait()


def fill(url: str) -> None:
    """Have one document in the queue, of a request that is never answered."""

    def ask() -> None:
        try:
            httpx.post(f"{url}/rerank", json={"query": "a", "documents": ["b"]}, timeout=HOUR_S)
        except httpx.TransportError:
            return  # the server is ended with the tests

    threading.Thread(target=ask, daemon=True).start()
    deadline = time.monotonic() + PATIENCE_S
    while not re.search(r"^reranker_queued_documents\{.*\} 1\.0$", httpx.get(f"{url}/metrics").text, re.MULTILINE):
        assert time.monotonic() < deadline
        time.sleep(0.1)


Cells = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="session")
def cells(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """What every client saw in every check. Both environments run at once.

    RERANKER_CLIENTS_RECORD names a file to write it to, for the table in docs/api.md.
    """
    folder = tmp_path_factory.mktemp("cells")
    task = {
        "open": servers.open, "keyed": servers.keyed, "full": servers.full, "loading": servers.loading, "key": KEY,
        "query": QUERY, "documents": DOCUMENTS,
        "expected": [[result["index"], result["relevance_score"]] for result in servers.results],
    }  # fmt: skip
    (folder / "task.json").write_text(json.dumps(task))
    runs = {name: start(name, folder) for name in NAMES}
    seen: Cells = {}
    for name, run in runs.items():
        assert run.wait() == 0, f"{name}: {(folder / f'{name}.log').read_text()[-4000:]}"
        for line in (folder / f"{name}.jsonl").read_text().splitlines():
            cell = json.loads(line)
            seen[cell["client"], cell["check"]] = cell
    record = os.environ.get("RERANKER_CLIENTS_RECORD")
    if record:
        Path(record).write_text(json.dumps(list(seen.values()), ensure_ascii=False, indent=1) + "\n")
    return seen


def start(name: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Run one environment's clients; cells go to NAME.jsonl, everything that libraries print to NAME.log."""
    python = python_of(name)
    with (
        (folder / "task.json").open() as task,
        (folder / f"{name}.jsonl").open("w") as output,
        (folder / f"{name}.log").open("w") as errors,
    ):
        command = [python, "-m", "tests.clients.run", name]
        return subprocess.Popen(command, cwd=ROOT, stdin=task, stdout=output, stderr=errors)
