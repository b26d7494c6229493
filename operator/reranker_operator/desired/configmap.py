"""The service's configuration file, and the ConfigMap that brings it into the pods.

Its name holds a hash of its content and it never changes, so that a pod that starts anew while another configuration
is rolled out still reads the one that it was made for.
"""

import hashlib
from typing import Any

import yaml

from reranker_operator.api.base import parse_duration
from reranker_operator.desired.model import engine_model_name
from reranker_operator.desired.mounts import BASELINE_FILE, GOLDEN_FILE, KEYS_FILE
from reranker_operator.desired.target import ACCEPT_SECONDS, Target
from reranker_operator.gpu import dtype_of
from reranker_operator.names import PORT, config_map_name

CONFIG_KEY = "config.yaml"


def service_config(target: Target) -> dict[str, Any]:
    """The configuration as the service reads it; durations in seconds."""
    spec, engine, limits = target.spec, target.spec.engine, target.spec.limits
    backend = {
        "model_name": engine_model_name(spec.model),
        "revision": spec.model.revision,
        "max_model_len": spec.max_model_len,
        "infer_batch_size": engine.infer_batch_size,
        "sort_by_doc_length": engine.sort_by_doc_length,
        "enable_prefix_caching": engine.enable_prefix_caching,
        "enforce_eager": engine.enforce_eager,
        "dtype": dtype_of(spec, target.profile),
        # Only where it is set: services of before don't know the key, and pods need not roll for it.
        **({} if engine.quantization is None else {"quantization": engine.quantization}),
        "tensor_parallel_size": engine.tensor_parallel_size,
        "gpu_memory_utilization": engine.gpu_memory_utilization,
        "instruction": spec.instruction,
        "instruction_format": spec.instruction_format,
        "engine_args": engine.extra_args or {},
    }
    server = {
        "host": "0.0.0.0",  # noqa: S104 - a pod's own network
        "port": PORT,
        "max_documents": limits.max_documents,
        "max_document_tokens": limits.max_document_tokens,
        "max_queued_documents": limits.max_queued_documents,
        "max_queued_tokens": limits.max_queued_tokens,
        "max_body_bytes": limits.max_body_bytes,
        "request_timeout_s": parse_duration(limits.request_timeout).total_seconds(),
        "drain_accept_s": float(ACCEPT_SECONDS),
        "drain_timeout_s": target.drain_seconds,
        "api_keys_file": None if spec.auth is None else KEYS_FILE,
        "metrics_auth": spec.auth is not None and spec.auth.protect_metrics,
    }
    score_check = {
        "mode": spec.score_check.mode,
        "golden_set": None if spec.score_check.golden_set_config_map is None else GOLDEN_FILE,
        "baseline": None if spec.score_check.mode == "off" else BASELINE_FILE,
        "max_drift": spec.score_check.max_drift,
    }
    rerank = {"backend": spec.backend, "backends": {spec.backend: backend}, "server": server}
    return {"services": {"rerank": {**rerank, "score_check": score_check}}}


def rendered_config(target: Target) -> str:
    """The file's text."""
    return yaml.safe_dump(service_config(target), sort_keys=False, allow_unicode=True)


def config_hash(target: Target) -> str:
    """Changes exactly when the file does; as an annotation of the pods it makes them roll."""
    return hashlib.sha256(rendered_config(target).encode()).hexdigest()


def config_map_of(target: Target) -> str:
    """The ConfigMap's name."""
    return config_map_name(target.name, config_hash(target))


def config_map(target: Target) -> dict[str, Any]:
    """The ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": target.metadata(config_map_of(target)),
        "immutable": True,
        "data": {CONFIG_KEY: rendered_config(target)},
    }
