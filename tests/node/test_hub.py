"""A gated model from a hub in the cluster, for two pods that share a cache."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.node.conftest import CONTAINER_SECURITY, NAMESPACE, POD_SECURITY, Node, Object, reranker
from tests.operator.api import eventually

from hack.demo.shell import ROOT

pytestmark = [pytest.mark.timeout(420), pytest.mark.usefixtures("operator")]

NAME, MODEL, TOKEN = "hub-model", "acme/tiny-reranker", "hf_secret"
PORT, STORE_PORT = 8080, 8081
BYTES_PER_SECOND = 3_000_000
VOLUME = "/var/lib/reranker-weights"
SCRIPT = ROOT / "tests" / "hub_server.py"
STORAGE_CLASS = "by-hand"


def hub(image: str) -> list[Object]:
    """A slow hub that serves the image's model to whom has the token, and its Service."""
    options = {"--host": "0.0.0.0", "--port": PORT, "--store-port": STORE_PORT, "--token": TOKEN}  # noqa: S104
    arguments = [word for option, value in options.items() for word in (option, str(value))]
    ports = [{"name": "hub", "port": PORT}, {"name": "store", "port": STORE_PORT}]
    container = {
        "name": "hub",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["python", f"/hub/{SCRIPT.name}", "/models/tiny-reranker", MODEL, *arguments],
        "args": ["--bytes-per-second", str(BYTES_PER_SECOND)],
        "volumeMounts": [{"name": "hub", "mountPath": "/hub"}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": CONTAINER_SECURITY,
    }
    pod = {
        "containers": [container],
        "volumes": [{"name": "hub", "configMap": {"name": "hub"}}],
        "securityContext": POD_SECURITY,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
    }
    metadata = {"name": "hub", "labels": {"app": "hub"}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {SCRIPT.name: SCRIPT.read_text()}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": TOKEN}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": "hub"}, "ports": ports},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
    ]


def volume(node: Node) -> Object:
    """A volume for the cache that the operator will ask for: the node has nothing that makes volumes."""
    prepare = f"mkdir -p {VOLUME} && chown 10001:10001 {VOLUME}"
    node.shell.run("hack/cluster/cluster", "enter", "sh", "-c", prepare)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "weights"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": VOLUME},
        },
    }


def from_hub(name: str, **model: Any) -> Object:
    env = [{"name": "HF_ENDPOINT", "value": f"http://hub:{PORT}"}]
    resources = {"requests": {"cpu": "100m"}, "limits": {"memory": "5Gi"}}
    return reranker(name, model={"name": MODEL, **model}, podTemplate={"env": env, "resources": resources})


@pytest.fixture(scope="module")
def served(node: Node, image: str) -> Iterator[None]:
    """A hub, a reranker of two pods that starts from it, and one that has no token."""
    node.apply(volume(node), *hub(image))
    node.shell.run("kubectl", "-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/hub", "--timeout=60s")
    cached = {"size": "1Gi", "storageClassName": STORAGE_CLASS, "accessMode": "ReadWriteMany"}
    source = {"hub": {"tokenSecretRef": {"name": "hub", "key": "token"}}}
    pair = from_hub(NAME, source=source, cache=cached)
    pair["spec"]["replicas"] = 2
    node.apply(pair)
    yield
    remove = ("delete", "rrd,pods,services,configmaps,secrets", "--ignore-not-found", "--wait=false")
    node.shell.run("kubectl", "-n", NAMESPACE, *remove, "hub", NAME, "without-token")


def requests(node: Node) -> list[Object]:
    """What the hub was asked."""
    lines = node.shell.output("kubectl", "-n", NAMESPACE, "logs", "hub").splitlines()
    return [json.loads(line) for line in lines[1:]]


@pytest.mark.usefixtures("served")
def test_download_is_told_and_made_once_for_all_pods_that_share_the_cache(node: Node):
    conditions = node.wait_for(NAME, 120, Accepted="SpecValid", Available="Downloading", Progressing="Downloading")
    first = conditions["Available"]["message"]
    assert re.match(rf"the pod {NAME}-\S+ (downloads|waits for .+ to download) the model: \d+ of 50 MiB", first), first

    def goes_on() -> bool:
        seen = node.wait_for(NAME, 60, Available="Downloading")["Available"]["message"]
        assert seen != first
        return True

    eventually(goes_on, "the message tells that it goes on", 60)
    node.wait_for(NAME, 240, Available="MinimumReplicasAvailable", Progressing="RolloutComplete")
    status = node.get("rrd", NAME)["status"]
    assert status["ready"] == "2/2"
    downloads = [each["path"] for each in requests(node) if each["method"] == "GET" and "/store/" in each["path"]]
    assert len(downloads) == len(set(downloads)) == 2, downloads


@pytest.mark.usefixtures("served")
def test_gated_model_without_a_token_is_told(node: Node):
    node.apply(from_hub("without-token"))
    message = node.wait_for("without-token", 120, Available="ModelNotFound")["Available"]["message"]
    assert f"model_name: {MODEL} (revision main) could not be fetched: 401 " in message
    assert "model.source.hub.tokenSecretRef" in message
