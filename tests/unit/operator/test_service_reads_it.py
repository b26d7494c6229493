"""The configuration that the operator writes is one that the service reads, to the last key."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.operator.builders import make_target

from reranker_operator.desired.configmap import rendered_config, service_config
from reranker_service.settings import load_settings

SPECS: dict[str, dict[str, Any]] = {
    "smallest": {},
    "generate on a GPU": {"backend": "qwen3_vllm", "gpu": {"type": "t4"}, "model": {"name": "a/b", "revision": "main"}},
    "packed": {"backend": "qwen3_packed", "gpu": {"type": "h100"}, "model": {"name": "a/b"}},
    "fp8": {"backend": "qwen3_packed", "gpu": {"type": "h100"}, "engine": {"quantization": "fp8"}},
    "no check": {"scoreCheck": {"mode": "off"}},
    "everything set": {
        "instructionFormat": "standard",
        "instruction": "按相关性排序",
        "maxModelLen": 512,
        "gpu": {"type": "h100", "count": 2},
        "engine": {
            "dtype": "bfloat16",
            "enforceEager": True,
            "tensorParallelSize": 2,
            "extraArgs": {"block_size": 32, "seed": None},
        },
        "limits": {
            "maxDocuments": 5,
            "maxQueuedDocuments": 6,
            "maxBodyBytes": 4096,
            "requestTimeout": "1500ms",
            "maxDocumentTokens": 99,
            "maxQueuedTokens": 10000,
        },
        "rollout": {"drainTimeout": "2m"},
        "auth": {"apiKeySecretRef": {"name": "keys", "key": "keys"}, "protectMetrics": True},
        "scoreCheck": {"mode": "warn", "goldenSetConfigMap": "golden", "maxDrift": 0.5},
    },
}


@pytest.mark.parametrize("name", SPECS)
def test_service_reads_what_the_operator_writes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = make_target(**SPECS[name])
    path = tmp_path / "config.yaml"
    path.write_text(rendered_config(target), encoding="utf-8")
    monkeypatch.setenv("RERANKER_CONFIG", str(path))
    settings = load_settings()

    written = service_config(target)["services"]["rerank"]
    assert settings.backend == written["backend"]
    for key, value in written["backends"][written["backend"]].items():
        assert getattr(settings, key) == value, key
    for key, value in written["server"].items():
        assert getattr(settings.server, key) == value, key
    for key, value in written["score_check"].items():
        assert getattr(settings.score_check, key) == value, key
