"""How the chart changes an operator that is there already: what it renders depends on what the API server has."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml
from tests.operator.api import Api
from tests.operator.control_plane import ADMIN, ROOT, ControlPlane

from hack.chart.helm import find_helm

LEASE = {"reranker.dev/leader-election": "lease"}


def strategy(control_plane: ControlPlane, namespace: str) -> Any:
    """The operator's, as an upgrade in this namespace would set it."""
    command = (
        find_helm(), "template", "reranker-operator", str(ROOT / "charts" / "reranker-operator"), "--dry-run=server",
        "--namespace", namespace, "--kubeconfig", str(control_plane.kubeconfig(ADMIN)),
        "--show-only", "templates/deployment.yaml", "--set", "crds.install=false",
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["spec"]["strategy"]["type"]


def operator_in(namespace: str, annotations: dict[str, str]) -> dict[str, Any]:
    """An operator's Deployment that Helm made, with these annotations besides."""
    helms = {"meta.helm.sh/release-name": "reranker-operator", "meta.helm.sh/release-namespace": namespace}
    labels = {"app": "operator"}
    container = {"name": "operator", "image": "reranker-operator:test"}
    return {
        "metadata": {
            "name": "reranker-operator",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": helms | annotations,
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def test_first_installation_rolls(control_plane: ControlPlane, api: Api, namespace: str):
    assert api.get("deployments", namespace, "reranker-operator") is None
    assert strategy(control_plane, namespace) == "RollingUpdate"


@pytest.mark.parametrize(("annotations", "wanted"), [(LEASE, "RollingUpdate"), ({}, "Recreate")], ids=str)
def test_operator_without_a_lease_ends_before_the_new_one_begins(
    control_plane: ControlPlane, api: Api, namespace: str, annotations: dict[str, str], wanted: str
):
    api.create("deployments", operator_in(namespace, annotations))
    assert strategy(control_plane, namespace) == wanted
