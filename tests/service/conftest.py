"""Real `reranker-service` processes, configured by a YAML file as the operator writes it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

START_TIMEOUT_S = 600
PROGRAM = Path(sys.executable).with_name("reranker-service")


class Service:
    """One process and the address it serves."""

    def __init__(self, folder: Path, model: Path, backend: str, **changes: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "service.log"
        block = {"model_name": str(model), "max_model_len": 160, **changes.pop("block", {})}
        server = {"host": "127.0.0.1", "port": self.port, **changes.pop("server", {})}
        self.termination_log = folder / "termination-log"
        server.setdefault("termination_log", str(self.termination_log))
        rerank = {"backend": backend, "backends": {backend: block}, "server": server}
        config = {"services": {"rerank": rerank | {"score_check": changes.pop("score_check", {})}}}
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(config, allow_unicode=True))
        self.started = time.monotonic()
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [PROGRAM], env=os.environ | {"RERANKER_CONFIG": str(path)}, stdout=output, stderr=output
            )

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30)

    def post(self, client: httpx.Client | None = None, **body: Any) -> httpx.Response:
        return (client or httpx).post(f"{self.url}/rerank", json=body, timeout=120)

    def wait(self, path: str) -> float:
        """Seconds from the start until `path` answers 200."""
        return self.wait_for(lambda: self.get(path).status_code == 200)

    def wait_for(self, condition: Callable[[], bool]) -> float:
        """Seconds from the start until something holds of the running process."""
        while time.monotonic() - self.started < START_TIMEOUT_S:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if condition():
                    return time.monotonic() - self.started
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def start_service(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Callable[..., Service]]:
    """Start a service; whatever is still running at the module's end is killed."""
    started: list[Service] = []

    def start(backend: str, *, model: Path = tiny_model, **changes: Any) -> Service:
        started.append(Service(tmp_path_factory.mktemp("service"), model, backend, **changes))
        return started[-1]

    yield start
    for service in started:
        service.process.kill()
        service.process.wait()
