"""vLLM's own benchmark client, with its reranking backend, takes this service for a vLLM server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.conftest import Servers

from hack.agreement.servers import VLLM_PROGRAM, named_vllm
from reranker_service.engines.vllm_env import prepare_environment

pytestmark = pytest.mark.timeout(900)

REQUESTS, DOCUMENTS = 4, 5


def test_vllm_bench_serve_completes_every_request(servers: Servers, tiny_model: Path, tmp_path: Path) -> None:
    environment = dict(os.environ)
    prepare_environment(cpu=True, local_model=True, eager=True, environ=environment)
    environment["PYTHONPATH"] = str(named_vllm(tmp_path))
    arguments = {
        "--backend": "vllm-rerank", "--base-url": servers.open, "--endpoint": "/v1/rerank", "--model": tiny_model,
        "--dataset-name": "random-rerank", "--num-prompts": REQUESTS * DOCUMENTS, "--random-batch-size": DOCUMENTS,
        "--random-input-len": 40, "--result-dir": tmp_path, "--result-filename": "result.json",
    }  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", VLLM_PROGRAM, "bench", "serve", "--save-result", "--disable-tqdm",
         *(str(part) for pair in arguments.items() for part in pair)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["completed"], result["total_input_sequences"]) == (REQUESTS, REQUESTS * DOCUMENTS)
