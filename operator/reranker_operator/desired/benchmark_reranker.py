"""The temporary RerankerDeployment that a Dedicated scenario measures: the target's spec, in one pod of its own."""

from typing import Any

from reranker_operator.desired.benchmark_run import BenchmarkRun
from reranker_operator.names import API_VERSION, BENCHMARK_LABEL, KIND, cache_claim_name

QUANTIZING_BACKEND = "qwen3_packed"
_NOT_COPIED = ("replicas", "autoscaling", "expose", "rollout")
"""One pod that nobody but the benchmark asks, and that goes as soon as it is told to."""


def overlaid_spec(spec: dict[str, Any], backend: str, instruction_format: str) -> dict[str, Any]:
    """A RerankerDeployment's spec with a scenario laid over it, less what only another backend can do."""
    laid = {**spec, "backend": backend, "instructionFormat": instruction_format}
    engine = spec.get("engine", {})
    if backend != QUANTIZING_BACKEND and "quantization" in engine:
        laid["engine"] = {key: value for key, value in engine.items() if key != "quantization"}
    return laid


def temporary_reranker(run: BenchmarkRun, position: int, target_spec: dict[str, Any]) -> dict[str, Any]:
    """The RerankerDeployment."""
    scenario = run.scenario(position)
    copied = {key: value for key, value in target_spec.items() if key not in _NOT_COPIED}
    template = copied.get("podTemplate", {})
    metadata = template.get("metadata", {})
    pod_labels = {**metadata.get("labels", {}), BENCHMARK_LABEL: run.name}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": run.metadata(run.child_name(position), {BENCHMARK_LABEL: run.name}),
        "spec": {
            **overlaid_spec(copied, scenario.backend, scenario.instruction_format),
            "replicas": 1,
            "rollout": {"strategy": "InPlace", "drainTimeout": "1s"},
            "model": _model(copied["model"], run.spec.deployment_ref.name),
            "podTemplate": {**template, "metadata": {**metadata, "labels": pod_labels}},
        },
    }


def _model(model: dict[str, Any], target: str) -> dict[str, Any]:
    """The target's model, from the target's own cache where pods of several nodes may read that."""
    cache = model.get("cache") or {}
    if "size" not in cache or cache.get("accessMode") != "ReadWriteMany":
        return model
    return {**model, "cache": {"existingClaim": cache_claim_name(target)}}
