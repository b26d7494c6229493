"""A real node with the service's image, and the operator as a process of this machine.

The node is one of its own and ends with the tests. The image is the one of this checkout, built by `hack/images/build
service-cpu`; RERANKER_NODE_IMAGE names another archive to take.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.operator.api import eventually
from tests.operator.conftest import CONFIG, CRDS, Operator

from hack.demo.shell import ROOT, Shell
from hack.images.load_command import built_images

Object = dict[str, Any]

NAMESPACE = "rerankers"
IMAGE_VARIABLE = "RERANKER_NODE_IMAGE"
GIVEN_IMAGE = "localhost/reranker-service-cpu:given"

# What the tests' namespace asks of a pod, and of each container.
POD_SECURITY = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


class Node:
    """The node, as its administrator sees it."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def apply(self, *manifests: Object, namespace: str = NAMESPACE) -> None:
        """Create or change objects, mostly in the tests' namespace."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.shell.run("kubectl", "-n", namespace, "apply", "-f", "-", stdin=json.dumps(items))

    def get(self, kind: str, name: str) -> Object:
        """An object of the tests' namespace."""
        found: Object = self.shell.get("-n", NAMESPACE, kind, name)
        return found

    def items(self, kind: str, selector: str = "") -> list[Object]:
        """Objects of the tests' namespace."""
        found: list[Object] = self.shell.get("-n", NAMESPACE, kind, "-l", selector)["items"]
        return found

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Change a RerankerDeployment."""
        patch = json.dumps({"spec": spec})
        self.shell.run("kubectl", "-n", NAMESPACE, "patch", "rrd", name, "--type=merge", "-p", patch)

    def wait_for(self, name: str, within: float, **wanted: str) -> dict[str, Object]:
        """Wait until a RerankerDeployment's conditions have these reasons; the conditions."""

        def look() -> dict[str, Object]:
            status = self.get("rrd", name).get("status", {})
            found = {condition["type"]: condition for condition in status.get("conditions", ())}
            seen = {kind: found.get(kind, {}).get("reason") for kind in wanted}
            assert seen == wanted, {kind: (entry["reason"], entry["message"]) for kind, entry in found.items()}
            return found

        return eventually(look, f"{name} has {wanted}", within)


def reranker(name: str, **spec: Any) -> Object:
    """A RerankerDeployment of the demonstration model."""
    return {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"name": "/models/tiny-reranker"}, **spec},
    }


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The node, with the CRDs and a namespace that lets in restricted pods only."""
    os.environ.setdefault("CLUSTER_NAME", "reranker-node")
    try:
        subprocess.run(["hack/cluster/cluster", "up"], cwd=ROOT, check=True)
        shell = Shell()
        shell.use_cluster()
        shell.run("kubectl", "apply", "--server-side", "-f", str(CRDS))
        shell.run("kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        shell.run("kubectl", "create", "namespace", NAMESPACE)
        restricted = "pod-security.kubernetes.io/enforce=restricted"
        shell.run("kubectl", "label", "namespace", NAMESPACE, restricted)
        yield Node(shell)
    finally:
        subprocess.run(["hack/cluster/cluster", "down"], cwd=ROOT, check=False)


@pytest.fixture(scope="session")
def image(node: Node) -> str:
    """The service's image for CPUs, which the node has."""
    archive = os.environ.get(IMAGE_VARIABLE)
    if archive:
        node.shell.run("hack/cluster/cluster", "load", archive, GIVEN_IMAGE)
        return GIVEN_IMAGE
    (built,) = built_images(["service-cpu"], [])
    node.shell.run("hack/cluster/cluster", "load", str(built.archive), built.local_reference)
    return built.local_reference


@pytest.fixture(scope="session")
def products(node: Node, operator: Operator) -> str:
    """The name of a reranker that serves. Tests that change it change it back."""
    resources = {"requests": {"cpu": "500m"}, "limits": {"memory": "5Gi"}}
    node.apply(reranker("products", podTemplate={"resources": resources}))
    node.wait_for("products", 240, Available="MinimumReplicasAvailable", Progressing="RolloutComplete")
    return "products"


@pytest.fixture(scope="session")
def operator(node: Node, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator at work."""
    config = {**CONFIG, "images": {"gpu": image, "cpu": image, "bench": image}, "namespaces": [NAMESPACE]}
    kubeconfig = Path(node.shell.environment["KUBECONFIG"])
    operator = Operator(tmp_path_factory.mktemp("operator"), kubeconfig, config)
    try:
        operator.start()
        yield operator
    finally:
        assert operator.stop() == 0, operator.log()[-3000:]
