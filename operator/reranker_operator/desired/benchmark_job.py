"""The Job that measures one scenario.

One pod of the bench image, hardened to Pod Security `restricted` and without any right towards the API: its figures
come back as its termination message.
"""

from dataclasses import dataclass
from typing import Any

from reranker_operator.api.base import parse_duration
from reranker_operator.desired.benchmark_run import BenchmarkRun
from reranker_operator.desired.hardening import container_security, pod_security
from reranker_operator.names import BENCHMARK_CONTAINER, PORT, benchmark_labels

TERMINATION_LOG = "/dev/termination-log"
TITLES_MOUNT = "/etc/reranker-bench/titles"
KEY_MOUNT = "/etc/reranker-bench/auth"
RESULTS_MOUNT = "/results"
TMP_MOUNT = "/tmp"  # noqa: S108 - a volume of the pod's own
READY_SECONDS = 120
"""The reranker is ready when the Job is made; the Service's endpoints may take a moment to know."""

_DEFAULT_RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


@dataclass(frozen=True)
class Measured:
    """The reranker that the Job asks."""

    name: str
    spec: dict[str, Any]
    """Its spec as the API server gives it."""
    image: str | None = None
    """The image that its pods run."""


def scenario_job(run: BenchmarkRun, position: int, measured: Measured, seconds: int) -> dict[str, Any]:
    """The Job, which Kubernetes ends after so many seconds."""
    labels = benchmark_labels(run.name)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": run.metadata(run.child_name(position), labels),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "template": {"metadata": {"labels": labels}, "spec": _pod(run, position, measured)},
        },
    }


def results_file(run: BenchmarkRun, position: int) -> str | None:
    """The raw results' file below the root of the results volume; None where they go to the log.

    It holds a part of the benchmark's uid: a benchmark that is created anew must not overwrite the one before.
    """
    if run.spec.results is None:
        return None
    scenario = run.scenario(position)
    name = f"{run.name}-{run.uid[:8]}-{scenario.backend}-{scenario.instruction_format}.json"
    return f"{run.spec.results.path}/{name}".lstrip("/")


def _pod(run: BenchmarkRun, position: int, measured: Measured) -> dict[str, Any]:
    job = run.spec.job
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [_container(run, position, measured)],
        "volumes": [volume for volume, _ in _volumes(run, measured)],
    }
    secrets = [*run.settings.image_pull_secrets, *(secret.name for secret in run.spec.image_pull_secrets or [])]
    optional = {
        "imagePullSecrets": [{"name": name} for name in dict.fromkeys(secrets)],
        "nodeSelector": job.node_selector,
        "tolerations": [toleration.as_object() for toleration in job.tolerations or []],
    }
    return {**spec, **{key: value for key, value in optional.items() if value}}


def _container(run: BenchmarkRun, position: int, measured: Measured) -> dict[str, Any]:
    resources = run.spec.job.resources
    return {
        "name": BENCHMARK_CONTAINER,
        "image": run.spec.image or run.settings.images.bench,
        "imagePullPolicy": run.settings.image_pull_policy,
        "args": _arguments(run, position, measured),
        "resources": resources.as_object() if resources is not None else _DEFAULT_RESOURCES,
        "volumeMounts": [mount for _, mount in _volumes(run, measured)],
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
    }


def _arguments(run: BenchmarkRun, position: int, measured: Measured) -> list[str]:
    """What `reranker-bench` is told; values stand behind `=`, so that one that begins with a hyphen is no option."""
    spec, scenario = run.spec, run.scenario(position)
    given: dict[str, Any] = {
        "url": f"http://{measured.name}.{run.namespace}.svc:{PORT}",
        "wait": READY_SECONDS,
        "expect-backend": scenario.backend,
        "expect-instruction-format": scenario.instruction_format,
        "repeat": spec.repeat,
        "seed": spec.seed,
        "query": spec.query,
        "warmup-requests": spec.warmup.requests,
        "warmup-documents": spec.warmup.documents,
        "timeout": f"{parse_duration(spec.timeout).total_seconds():g}",
        "tag": run.name,
        "json-summary-out": _raw_results(run, position),
        "termination-log": TERMINATION_LOG,
    }
    if spec.concurrency > 1:
        given["concurrency"] = spec.concurrency
    if spec.titles is not None:
        given["titles"] = f"{TITLES_MOUNT}/{_titles_file(run)}"
    if _api_key(measured) is not None:
        given["api-key-file"] = f"{KEY_MOUNT}/key"
    if (gpu := measured.spec.get("gpu")) is not None:
        given["gpu"] = gpu["type"]
    if measured.image is not None:
        given["image"] = measured.image
    sizes = ",".join(map(str, spec.documents))
    arguments = ["run", sizes, "--quiet-runs", *(f"--{name}={value}" for name, value in given.items())]
    return [argument.replace("$", "$$") for argument in arguments]  # Kubernetes would expand $(NAME)


def _raw_results(run: BenchmarkRun, position: int) -> str:
    """A file on the results volume, or `-`: one line in the log."""
    file = results_file(run, position)
    return "-" if file is None else f"{RESULTS_MOUNT}/{file.rpartition('/')[2]}"


def _titles_file(run: BenchmarkRun) -> str:
    titles = run.spec.titles
    return titles.pvc.path if titles is not None and titles.pvc is not None else "titles.txt"


def _api_key(measured: Measured) -> dict[str, Any] | None:
    """The Secret with the reranker's API keys, of which the first one is used."""
    reference: dict[str, Any] | None = (measured.spec.get("auth") or {}).get("apiKeySecretRef")
    return reference


def _volumes(run: BenchmarkRun, measured: Measured) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The volumes, each with its mount."""
    tmp = {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}
    found: list[tuple[dict[str, Any], dict[str, Any]]] = [(tmp, {"name": "tmp", "mountPath": TMP_MOUNT})]
    titles, results = run.spec.titles, run.spec.results
    if titles is not None and titles.config_map is not None:
        item = {"key": titles.config_map.key, "path": "titles.txt"}
        volume = {"name": "titles", "configMap": {"name": titles.config_map.name, "items": [item]}}
        found.append((volume, {"name": "titles", "mountPath": TITLES_MOUNT, "readOnly": True}))
    if titles is not None and titles.pvc is not None:
        claim = {"claimName": titles.pvc.claim_name, "readOnly": True}
        volume = {"name": "titles", "persistentVolumeClaim": claim}
        found.append((volume, {"name": "titles", "mountPath": TITLES_MOUNT, "readOnly": True}))
    if (key := _api_key(measured)) is not None:
        secret = {"secretName": key["name"], "items": [{"key": key["key"], "path": "key"}]}
        found.append(({"name": "auth", "secret": secret}, {"name": "auth", "mountPath": KEY_MOUNT, "readOnly": True}))
    if results is not None:
        mount = {"name": "results", "mountPath": RESULTS_MOUNT, **({"subPath": results.path} if results.path else {})}
        found.append(({"name": "results", "persistentVolumeClaim": {"claimName": results.claim_name}}, mount))
    return found
