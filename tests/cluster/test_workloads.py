"""What the other suites rely on: the node runs pods as a node of a real cluster does."""

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cluster.node import Node, eventually, pod, restricted_pod

pytestmark = pytest.mark.cluster


def start_pods(node: Node, namespace: str, *pods: dict[str, Any]) -> None:
    node.apply(namespace, *pods)
    names = [f"pod/{entry['metadata']['name']}" for entry in pods]
    node.ask("wait", "--namespace", namespace, "--for=condition=Ready", "--timeout=60s", *names)


def service(name: str, **selector: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "NodePort", "selector": selector, "ports": [{"port": 8000}]},
    }


def field(node: Node, namespace: str, target: str, path: str) -> str:
    return node.ask("get", "--namespace", namespace, target, "-o", f"jsonpath={{{path}}}")


def test_restricted_pods_run_and_others_are_refused(node: Node, namespace: str) -> None:
    start_pods(node, namespace, pod("careful", app="careful"))
    careless = pod("careless", app="careless")
    del careless["spec"]["securityContext"]
    refused = node.kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(careless))
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_a_service_is_reached_from_the_machine_and_from_pods(node: Node, namespace: str) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": restricted_pod(app="web")},
    }
    node.apply(namespace, deployment, service("web", app="web"))
    node.ask("rollout", "status", "--namespace", namespace, "deployment/web", "--timeout=60s")
    pods = set(node.ask("get", "pods", "--namespace", namespace, "-o", "name").replace("pod/", "").split())
    assert len(pods) == 2

    cluster_ip = field(node, namespace, "service/web", ".spec.clusterIP")
    node_port = field(node, namespace, "service/web", ".spec.ports[0].nodePort")
    node_ip = field(node, namespace, "nodes", ".items[0].status.addresses[0].address")
    urls = (f"http://{cluster_ip}:8000", f"http://{node_ip}:{node_port}")

    def answer_of(url: str) -> str:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own URLs
                return str(response.read().decode().strip())
        except OSError as error:
            return repr(error)

    for url in urls:
        eventually(lambda url=url: answer_of(url) in pods, f"{url} answers on the machine")  # type: ignore[misc]
    eventually(lambda: {answer_of(urls[0]) for _ in range(40)} == pods, "both pods take part")
    for name in pods:
        answer = node.probe(namespace, name, "get", "http://web:8000")
        assert answer.stdout.strip() in pods, f"from pod {name}, which may be the one that answers: {answer.stderr}"


def test_names_resolve_inside_and_do_not_exist_outside(node: Node, namespace: str) -> None:
    start_pods(node, namespace, pod("asker", app="asker"))
    node.apply(namespace, service("web", app="asker"))
    cluster_ip = field(node, namespace, "service/web", ".spec.clusterIP")
    for name in ("web", f"web.{namespace}", f"web.{namespace}.svc.cluster.local"):
        answer = node.probe(namespace, "asker", "resolve", name)
        assert answer.stdout.split() == [cluster_ip], answer.stderr
    started = time.monotonic()
    outside = node.probe(namespace, "asker", "resolve", "example.com")
    assert "no such host" in outside.stderr
    assert time.monotonic() - started < 5, "said at once, not after a time-out"


def test_pods_reach_the_api_server_and_nothing_outside(node: Node, namespace: str) -> None:
    start_pods(node, namespace, pod("client", app="client"))
    version = node.probe(namespace, "client", "get", "https://kubernetes.default.svc/version")
    assert json.loads(version.stdout)["major"] == "1", version.stderr
    outside = node.probe(namespace, "client", "get", "http://198.51.100.1/")
    assert outside.returncode != 0
    assert "198.51.100.1" in outside.stderr


def test_network_policies_are_enforced_between_pods_of_the_node(node: Node, namespace: str) -> None:
    start_pods(node, namespace, *(pod(name, app=name) for name in ("server", "friend", "stranger")))
    node.apply(namespace, service("server", app="server"))

    def reached_from(name: str) -> bool:
        return node.probe(namespace, name, "get", "http://server:8000").stdout.strip() == "server"

    for name in ("friend", "stranger"):
        eventually(lambda name=name: reached_from(name), f"{name} reaches the server")  # type: ignore[misc]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "friends-only"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "server"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": 8000}]}],
        },
    }
    node.apply(namespace, policy)
    eventually(lambda: not reached_from("stranger"), "the stranger is kept out")
    assert reached_from("friend")
    assert field(node, namespace, "pod/server", ".status.containerStatuses[0].ready") == "true", "probes still pass"
    node.ask("delete", "--namespace", namespace, "networkpolicy", "friends-only")
    eventually(lambda: reached_from("stranger"), "the stranger is let in again")


def test_what_an_owner_owned_goes_with_it(node: Node, namespace: str) -> None:
    node.ask("create", "configmap", "owner", "--namespace", namespace)
    owner = json.loads(node.ask("get", "configmap", "owner", "--namespace", namespace, "-o", "json"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    metadata = {"name": "owned", "ownerReferences": [reference]}
    node.apply(namespace, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    node.ask("delete", "configmap", "owner", "--namespace", namespace)
    eventually(
        lambda: "NotFound" in node.kubectl("get", "configmap", "owned", "--namespace", namespace).stderr,
        "the owned object is collected",
    )


def test_logs_and_port_forward_reach_a_pod(node: Node, namespace: str) -> None:
    start_pods(node, namespace, pod("web", app="web"))
    assert node.ask("logs", "--namespace", namespace, "web") == "serving at :8000\n"
    command = [*node.kubectl_command, "--namespace", namespace, "port-forward", "pod/web", ":8000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        try:
            found = re.search(r"127\.0\.0\.1:(\d+) ->", forward.stdout.readline())
            assert found
            answer = httpx.get(f"http://127.0.0.1:{found[1]}", timeout=5, trust_env=False)
        finally:
            forward.terminate()
    assert answer.text == "web\n"


def test_an_image_that_is_there_is_not_loaded_again(node: Node, tmp_path: Path) -> None:
    done = node.cluster("load", tmp_path / "no-such-archive.tar", "localhost/probe:test")
    assert done.returncode == 0
    assert "in the node already" in done.stderr
    missing = node.cluster("load", tmp_path / "no-such-archive.tar", "localhost/other:test")
    assert missing.returncode == 1
    assert "there is no file" in missing.stderr
