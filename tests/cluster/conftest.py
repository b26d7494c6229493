"""One node for the tests that only use it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.node import PROBE_IMAGE, ROOT, Node


@pytest.fixture(scope="session")
def probe_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image archive with the test pods' program, in the way that the node's own images are made."""
    folder = tmp_path_factory.mktemp("probe")
    subprocess.run(
        ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", folder / "probe", "."],
        cwd=ROOT / "tests/cluster/probe",
        env={**os.environ, "CGO_ENABLED": "0"},
        check=True,
    )
    archive = folder / "probe.tar"
    subprocess.run(
        ["python3", ROOT / "hack/cluster/lib/archive.py", folder / "probe", PROBE_IMAGE, os.uname().machine, archive],
        check=True,
    )
    return archive


@pytest.fixture(scope="session")
def node(probe_archive: Path) -> Iterator[Node]:
    """A running cluster that knows the probe's image."""
    node = Node(f"smoke-{os.getpid()}")
    try:
        node.must("up")
        node.must("load", probe_archive, PROBE_IMAGE)
        yield node
    finally:
        node.must("down")


@pytest.fixture
def namespace(node: Node, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the strictest pod security profile, named by the test."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50].rstrip("-")
    node.ask("create", "namespace", name)
    node.ask("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    node.ask("delete", "namespace", name, "--wait=false")
