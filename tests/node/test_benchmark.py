"""A RerankerBenchmark on the real node: figures, a report by kubectl, a reranker that ends as its own spec says."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.node.conftest import NAMESPACE, Node, Object, reranker
from tests.operator.api import eventually
from tests.operator.conftest import Operator

from hack.demo.shell import ROOT
from hack.images.load_command import built_images

pytestmark = pytest.mark.timeout(400)

NAME = "measured"
OWN = {"backend": "qwen3_packed", "instructionFormat": "compact"}
OTHER = {"backend": "qwen3_packed", "instructionFormat": "standard"}
START_WITHIN = 90
"""Seconds for a pod to come up in another's place, on two cores that others use, too."""


@pytest.fixture(scope="module")
def bench_image(node: Node) -> str:
    """The benchmark's image, which the node has."""
    (built,) = built_images(["bench"], [])
    node.shell.run("hack/cluster/cluster", "load", str(built.archive), built.local_reference)
    return built.local_reference


@pytest.fixture(scope="module")
def target(node: Node, operator: Operator) -> Iterator[str]:
    """A reranker that serves."""
    resources = {"requests": {"cpu": "500m"}, "limits": {"memory": "5Gi"}}
    node.apply(
        reranker(NAME, **OWN, maxModelLen=160, rollout={"drainTimeout": "1s"}, podTemplate={"resources": resources})
    )
    serves(node, (OWN["backend"], OWN["instructionFormat"], 160))
    yield NAME
    node.shell.run("kubectl", "-n", NAMESPACE, "delete", "rrd", NAME)


@pytest.fixture
def start(node: Node, target: str, bench_image: str) -> Iterator[Callable[..., None]]:
    """Creates small benchmarks of the reranker; they are gone afterwards."""
    started = []

    def start(name: str, **spec: Any) -> None:
        small = {"scenarios": [OTHER], "documents": [10, 20], "repeat": 1, "warmup": {"requests": 1, "documents": 20}}
        manifest = {
            "apiVersion": "reranker.dev/v1alpha1",
            "kind": "RerankerBenchmark",
            "metadata": {"name": name},
            "spec": {"deploymentRef": {"name": target}, "image": bench_image, **small, **spec},
        }
        node.apply(manifest)
        started.append(name)

    yield start
    for name in started:
        node.shell.run("kubectl", "-n", NAMESPACE, "delete", "rrb", name, "--ignore-not-found")


def benchmark_status(node: Node, name: str) -> Object:
    """What is known of a benchmark."""
    found: Object = node.get("rrb", name).get("status", {})
    return found


def wait_for_phase(node: Node, name: str, phase: str) -> Object:
    """Wait until the benchmark's only scenario has come so far; the benchmark's status."""

    def look() -> Object:
        status = benchmark_status(node, name)
        assert [scenario["phase"] for scenario in status.get("scenarios", ())] == [phase], json.dumps(status)
        return status

    return eventually(look, f"{name} is {phase}", START_WITHIN)


def serves(node: Node, wanted: tuple[str, str, int]) -> None:
    """Wait until the reranker's only pod says that it serves this backend, format and length."""

    def look() -> bool:
        pods = node.items("pods", f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=server")
        addresses = [pod.get("status", {}).get("podIP") for pod in pods]
        assert len(addresses) == 1, addresses
        assert addresses[0]
        try:
            health = httpx.get(f"http://{addresses[0]}:8000/health", timeout=5).json()
        except httpx.TransportError as error:
            raise AssertionError(str(error)) from error
        found = [health.get(key) for key in ("status", "backend", "instruction_format", "max_model_len")]
        assert found == ["ok", *wanted], found
        return True

    eventually(look, f"the reranker serves {wanted}", START_WITHIN)


def test_copy_is_measured_behind_a_policy_and_the_report_comes_out_of_the_cluster(
    node: Node, start: Callable[..., None], tmp_path: Path
):
    # Nobody but the benchmark, the operator and Prometheus may reach the copy. The operator of these tests is no pod,
    # so it can't read the copy's own check.
    node.patch(NAME, {"networkPolicy": {"enabled": True, "allowFrom": []}})
    before = [pod["metadata"]["uid"] for pod in node.items("pods", f"app.kubernetes.io/instance={NAME}")]
    start("copy")
    pod = eventually(lambda: node.items("pods", "batch.kubernetes.io/job-name=copy-s1"), "its pod", START_WITHIN)[0]
    assert "serviceaccount" not in json.dumps(pod["spec"]), "it has no token"
    status = wait_for_phase(node, "copy", "Succeeded")
    assert (status["phase"], status["samples"], status["best"]["documents"]) == ("Succeeded", "2/2", 20)
    assert [(cell["samples"], cell["errors"]) for cell in status["scenarios"][0]["results"]] == [(1, 0), (1, 0)]

    columns = node.shell.output("kubectl", "-n", NAMESPACE, "get", "rrb", "copy", "--no-headers").split()
    assert columns[:5] == ["copy", NAME, "Succeeded", "1/1", "qwen3_packed/standard"]

    picture = tmp_path / "report.png"
    command = ["-m", "reranker_bench.cli", "report", "--from-cluster", "copy", "--namespace", NAMESPACE]
    done = subprocess.run(
        [sys.executable, *command, "--markdown", str(tmp_path / "report.md"), "--png", str(picture)],
        cwd=ROOT, env=node.shell.environment, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "| qwen3_packed | standard" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert picture.read_bytes()[:4] == b"\x89PNG"

    node.patch(NAME, {"networkPolicy": None})
    after = [pod["metadata"]["uid"] for pod in node.items("pods", f"app.kubernetes.io/instance={NAME}")]
    assert after == before, "the reranker itself was left alone"


def test_spec_edited_operator_killed_and_benchmark_deleted_without_one_the_reranker_ends_as_its_spec_says(
    node: Node, start: Callable[..., None], operator: Operator
):
    start("in-place", mode="InPlace", repeat=1000)
    wait_for_phase(node, "in-place", "Measuring")
    serves(node, (OTHER["backend"], OTHER["instructionFormat"], 160))
    node.patch(NAME, {"maxModelLen": 150})
    assert operator.process is not None
    operator.process.end(signal.SIGKILL)
    operator.start()
    serves(node, (OTHER["backend"], OTHER["instructionFormat"], 150))
    assert benchmark_status(node, "in-place")["phase"] == "Running"
    assert operator.stop() == 0
    try:
        node.shell.run("kubectl", "-n", NAMESPACE, "delete", "rrb", "in-place")
    finally:
        operator.start()
    serves(node, (OWN["backend"], OWN["instructionFormat"], 150))
    eventually(lambda: not node.items("jobs", "reranker.dev/benchmark=in-place"), "its Job is gone", START_WITHIN)
    target = node.get("rrd", NAME)
    assert target["spec"]["instructionFormat"] == OWN["instructionFormat"], "its spec was never touched"
    assert "overlay" not in target["status"].get("benchmark", {})


def test_nightly_example_creates_benchmarks(node: Node, bench_image: str):
    nightly = list(yaml.safe_load_all((ROOT / "examples/benchmark-cronjob.yaml").read_text(encoding="utf-8")))
    template = nightly[-1]["spec"]["jobTemplate"]["spec"]["template"]
    template["spec"]["containers"][0]["image"] = bench_image
    node.apply(*nightly)
    node.shell.run("kubectl", "-n", NAMESPACE, "create", "job", "tonight", "--from=cronjob/nightly-benchmark")

    def created() -> bool:
        return any(item["metadata"]["name"].startswith("nightly-") for item in node.items("rrb"))

    eventually(created, "the night's benchmark is there", START_WITHIN)
