"""Which pods the chart's PodMonitors choose, and what Prometheus calls them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.chart.helm import find_helm
from hack.observability.discovery import scrape_configs
from reranker_operator.names import CONTAINER, PORT, PORT_NAME, labels

CHART = Path(__file__).resolve().parents[2] / "charts" / "reranker-operator"


@pytest.fixture(scope="module")
def rendered() -> list[Any]:
    command = (find_helm(), "template", "reranker-operator", str(CHART), "--namespace", "system")
    done = subprocess.run(
        (*command, "--set", "podMonitor.enabled=true"), capture_output=True, text=True, timeout=60, check=True
    )
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def pod(name: str, namespace: str, template: Any, phase: str = "Running") -> dict[str, Any]:
    """A pod as the API server has it once it was started."""
    metadata = {"name": name, "namespace": namespace, "labels": template["metadata"]["labels"]}
    return {"metadata": metadata, "spec": template["spec"], "status": {"phase": phase, "podIP": "10.1.2.3"}}


@pytest.fixture(scope="module")
def pods(rendered: list[Any]) -> list[Any]:
    """The operator's, two of rerankers in two namespaces, one that has not begun, and one of somebody else."""
    (deployment,) = (manifest for manifest in rendered if manifest["kind"] == "Deployment")
    port = {"name": PORT_NAME, "containerPort": PORT}
    container = {"name": CONTAINER, "ports": [port, {"name": "other", "containerPort": 1}]}
    server = {"metadata": {"labels": labels("products")}, "spec": {"containers": [container]}}
    other = {"metadata": {"labels": {"app.kubernetes.io/name": "reranker"}}, "spec": {"containers": [container]}}
    return [
        pod("operator-a", "system", deployment["spec"]["template"]),
        pod("operator-b", "elsewhere", deployment["spec"]["template"]),
        pod("products-a", "shop", server),
        pod("products-b", "search", server),
        pod("products-c", "shop", server, phase="Pending"),
        pod("somebody", "shop", other),
    ]


def test_each_pod_is_found_once_and_called_by_its_rerankers_name(rendered: list[Any], pods: list[Any]) -> None:
    monitors = [manifest for manifest in rendered if manifest["kind"] == "PodMonitor"]
    operator, rerankers = (config for monitor in monitors for config in scrape_configs(monitor, pods))
    assert operator["honor_labels"] is True
    assert operator["static_configs"] == [
        {
            "targets": ["10.1.2.3:8080"],
            "labels": {"namespace": "system", "pod": "operator-a", "container": "operator"},
        }
    ]
    assert rerankers["honor_labels"] is False
    assert rerankers["static_configs"] == [
        {
            "targets": ["10.1.2.3:8000"],
            "labels": {"namespace": namespace, "pod": name, "container": "reranker", "reranker": "products"},
        }
        for namespace, name in (("shop", "products-a"), ("search", "products-b"))
    ]


def test_prometheus_accepts_what_comes_out(
    rendered: list[Any], pods: list[Any], promtool: Path, tmp_path: Path
) -> None:
    monitors = [manifest for manifest in rendered if manifest["kind"] == "PodMonitor"]
    configs = [config for monitor in monitors for config in scrape_configs(monitor, pods)]
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump({"scrape_configs": configs}))
    command = (str(promtool), "check", "config", "--lint-fatal", str(file))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
