"""What a NetworkPolicy of the operator's lets through, and what not."""

import subprocess
from collections.abc import Callable, Iterator

import pytest
from tests.node.conftest import CONTAINER_SECURITY, NAMESPACE, POD_SECURITY, Node, Object
from tests.operator.api import eventually

pytestmark = pytest.mark.timeout(300)

ELSEWHERE = "elsewhere"
ASK = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=2).status)"
CLIENTS = {"allowed": (NAMESPACE, "client"), "stranger": (NAMESPACE, "other"), "neighbour": (ELSEWHERE, "client")}


def client(name: str, namespace: str, role: str, image: str) -> Object:
    """A pod that waits to be told to ask."""
    container = {
        "name": "client",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sleep", "infinity"],
        "securityContext": CONTAINER_SECURITY,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"role": role}},
        "spec": {
            "containers": [container],
            "securityContext": POD_SECURITY,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
        },
    }


@pytest.fixture
def reach(node: Node, image: str, products: str) -> Iterator[Callable[[], set[str]]]:
    """Tells which of the clients reach the reranker."""
    node.shell.run("kubectl", "create", "namespace", ELSEWHERE)
    for name, (namespace, role) in CLIENTS.items():
        node.apply(client(name, namespace, role, image), namespace=namespace)
        node.shell.run("kubectl", "-n", namespace, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")

    def look() -> set[str]:
        url = f"http://{products}.{NAMESPACE}.svc.cluster.local:8000/livez"
        return {name for name, (namespace, _) in CLIENTS.items() if reaches(node, namespace, name, url)}

    yield look
    node.patch(products, {"networkPolicy": None})
    for name, (namespace, _) in CLIENTS.items():
        node.shell.run("kubectl", "-n", namespace, "delete", "pod", name, "--wait=false")
    node.shell.run("kubectl", "delete", "namespace", ELSEWHERE, "--wait=false")


def reaches(node: Node, namespace: str, name: str, url: str) -> bool:
    command = ("kubectl", "-n", namespace, "exec", name, "--", "python", "-c", ASK, url)
    done = subprocess.run(command, env=node.shell.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "timed out" in done.stderr or "refused" in done.stderr, done.stderr
    return done.returncode == 0


def test_only_who_is_allowed_reaches_the_reranker(node: Node, products: str, reach: Callable[[], set[str]]):
    assert reach() == CLIENTS.keys()
    clients = [{"podSelector": {"matchLabels": {"role": "client"}}}]
    node.patch(products, {"networkPolicy": {"enabled": True, "allowFrom": clients}})
    eventually(lambda: reach() == {"allowed"}, "only the one that is allowed reaches it", 60)
    node.patch(products, {"networkPolicy": {"enabled": True, "allowFrom": None}})
    eventually(lambda: reach() == {"allowed", "stranger"}, "its whole namespace reaches it", 60)
    node.patch(products, {"networkPolicy": None})
    eventually(lambda: reach() == CLIENTS.keys(), "all reach it again", 60)
    assert node.get("rrd", products)["status"]["ready"] == "1/1"
