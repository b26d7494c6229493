"""The API server, the CRD, and the operator as a process with no more rights than its own table gives."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.operator.api import Api, eventually
from tests.operator.control_plane import ADMIN, OPERATOR, ROOT, ControlPlane, Process

from hack.ports import free_port
from reranker_operator.rbac import CLUSTER_RULES, LEASE_RULES, RULES

CRDS = ROOT / "crds"
CRD = CRDS / "reranker.dev_rerankerdeployments.yaml"
CRD_NAME = "rerankerdeployments.reranker.dev"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CONFIG: dict[str, Any] = {
    "images": {"gpu": "reranker-service:test", "cpu": "reranker-service-cpu:test", "bench": "reranker-bench:test"},
    "resyncSeconds": 3600,
    "gpuProfiles": {
        "cpu": {"dtype": "float32"},
        "t4": {
            "resource": "nvidia.com/gpu",
            "memoryGiB": 16,
            "computeCapability": "7.5",
            "dtype": "float16",
            "nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        },
    },
}


class Operator:
    """The operator's process."""

    def __init__(
        self, folder: Path, kubeconfig: Path, config: dict[str, Any], env: dict[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._port = free_port()
        config_path = folder / "config.yaml"
        config_path.write_text(yaml.safe_dump(config))
        self._env = {
            "KUBECONFIG": str(kubeconfig),
            "RERANKER_OPERATOR_CONFIG": str(config_path),
            "RERANKER_OPERATOR_HTTP_PORT": str(self._port),
            "RERANKER_OPERATOR_LOG_FORMAT": "text",
            **(env or {}),
        }
        self.process: Process | None = None

    def start(self, *, wait: bool = True) -> None:
        self.process = Process(
            [sys.executable, "-W", "error", "-m", "reranker_operator"], self._folder / "operator.log", self._env
        )
        if wait:
            eventually(self.is_ready, "the operator is ready", within=40)

    def stop(self) -> int:
        assert self.process is not None
        return self.process.end()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self._port}{path}", timeout=5)

    def is_ready(self) -> bool:
        assert self.process is not None
        self.process.check()
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def writes(self) -> float:
        """How many writes were made so far."""
        return self._sum("reranker_operator_writes_total")

    def passes(self) -> float:
        """How many passes were made so far."""
        return self._sum("reranker_operator_reconciles_total")

    def log(self) -> str:
        assert self.process is not None
        return self.process.log.read_text()

    def _sum(self, metric: str) -> float:
        lines = self.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> Iterator[Api]:
    """The administrator's client, once the CRDs and the operator's rights are there."""
    client = Api(control_plane.url, ADMIN, control_plane.ca)
    try:
        install_crd(client)
        grant(client, "operator")
        yield client
    finally:
        client.close()


def install_crd(client: Api) -> None:
    """Create the CRDs that aren't there, and wait until their kinds are served."""
    collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for file in sorted(CRDS.glob("*.yaml")):
        crd = yaml.safe_load(file.read_text())
        if client.look(f"{collection}/{crd['metadata']['name']}") is None:
            client.call("POST", collection, crd)

    def established() -> bool:
        for crd in client.call("GET", collection)["items"]:
            conditions = crd.get("status", {}).get("conditions") or []
            assert ("Established", "True") in {(entry["type"], entry["status"]) for entry in conditions}
        return True

    eventually(established, "the CRDs are established")


def grant(client: Api, name: str) -> None:
    """Give the operator's user the rights of the operator's own table, in the whole cluster."""
    metadata = {"name": name}
    rules = [rule.as_dict() for rule in (*RULES, *CLUSTER_RULES, *LEASE_RULES)]
    client.call("POST", f"{RBAC}/clusterroles", {"metadata": metadata, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}
    client.call("POST", f"{RBAC}/clusterrolebindings", {"metadata": metadata, "roleRef": role, "subjects": [user]})


@pytest.fixture(scope="session")
def running(api: Api, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator, started once. Tests that stop it start it again."""
    kubeconfig = control_plane.kubeconfig(OPERATOR)
    operator = Operator(tmp_path_factory.mktemp("operator"), kubeconfig, CONFIG)
    try:
        operator.start()
        yield operator
    finally:
        assert operator.stop() == 0, operator.log()[-3000:]


@pytest.fixture
def operator(running: Operator) -> Operator:
    """The operator, running even after a test that failed while it was stopped."""
    assert running.process is not None
    if running.process.popen.poll() is not None:
        running.start()
    return running


_numbers = itertools.count(1)


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of its own in which only restricted pods are let in."""
    name = f"test-{next(_numbers)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    eventually(lambda: api.look(path), "the namespace has its service account")
    yield name
    if api.look(f"/api/v1/namespaces/{name}"):
        api.call("DELETE", f"/api/v1/namespaces/{name}")
