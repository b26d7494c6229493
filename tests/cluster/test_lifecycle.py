"""Starting, starting again, and leaving nothing behind."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.node import COMMAND, Node, eventually
from tests.cluster.traces import Process, descendants_of, left_behind, traces

NOBODY = 65534
LASTING = {"etcd", "containerd", "kube-apiserver", "kubelet", "kube-proxy", "kube-router", "coredns", "pause"}
"""What runs on a node as long as it is up; runc and iptables come and go."""

pytestmark = pytest.mark.cluster


@pytest.fixture
def fleeting() -> Iterator[Node]:
    """A cluster that the test itself starts and ends."""
    node = Node(f"fleeting-{os.getpid()}")
    yield node
    node.must("down")


def test_down_leaves_nothing_behind_even_when_the_node_died(fleeting: Node) -> None:
    before = traces()
    fleeting.must("up")
    first = descendants_of(fleeting.init_pid())
    assert {process.name for process in first} >= LASTING
    assert left_behind(before, traces(), fleeting.name).keys() >= {"links", "routes", "control groups"}, (
        "the comparison sees it"
    )

    os.kill(fleeting.init_pid(), signal.SIGKILL)
    eventually(lambda: not any(process.is_alive() for process in first), "the node's processes end with its first")
    assert fleeting.cluster("status").returncode == 1
    fleeting.must("up")
    second = descendants_of(fleeting.init_pid())
    assert {process.name for process in second} >= LASTING, "a dead node is started again"

    fleeting.must("down")
    assert not [process for process in second if process.is_alive()]
    assert not list(fleeting.state.parent.glob(f"*{fleeting.name}*"))
    # The kernel takes down a network namespace after its last process, in its own time.
    deadline = time.monotonic() + 20
    while left := left_behind(before, traces(), fleeting.name):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
    fleeting.must("down")


def test_up_on_a_running_cluster_changes_nothing_and_is_quick(node: Node) -> None:
    first = node.init_pid()
    started = time.monotonic()
    done = node.cluster("up")
    assert done.returncode == 0
    assert "up and healthy" in done.stderr
    assert time.monotonic() - started < 5
    assert node.init_pid() == first


def test_a_daemon_that_ends_is_started_again(node: Node) -> None:
    def kubelets() -> set[Process]:
        return {process for process in descendants_of(node.init_pid()) if process.name == "kubelet"}

    (first,) = kubelets()
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: len(kubelets() - {first}) == 1, "another kubelet runs")
    eventually(lambda: node.cluster("status").returncode == 0, "the cluster is healthy again", timeout_s=60)


def test_the_kubeconfig_is_for_its_owner_only(node: Node) -> None:
    assert (node.state / "kubeconfig").stat().st_mode & 0o777 == 0o600
    environment = node.must("env")
    assert f"export KUBECONFIG={node.state}/kubeconfig" in environment


def test_what_needs_root_says_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(COMMAND.parent, f"{folder}/cluster", ignore=shutil.ignore_patterns("tools"))
        for command in ("up", "down", "load"):
            done = subprocess.run(
                [f"{folder}/cluster/cluster", command],
                env={"PATH": os.environ["PATH"], "HOME": folder},
                user=NOBODY,
                group=NOBODY,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1
            assert f"run 'sudo hack/cluster/cluster {command}'" in done.stderr
