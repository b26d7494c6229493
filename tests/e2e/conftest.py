"""One run of the demo on a node of its own; the tests look at what it printed and go on with what it left running."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.demo.shell import Shell

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def demo_output() -> Iterator[str]:
    """What `make demo` printed. The node is named apart from a developer's own, and ends with the tests."""
    os.environ.setdefault("CLUSTER_NAME", "reranker-e2e")
    command = [sys.executable, "-m", "hack.demo"]
    try:
        lines = []
        with subprocess.Popen(
            [*command, "up"], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            for line in process.stdout or ():
                sys.__stdout__.write(line)
                sys.__stdout__.flush()
                lines.append(line)
        assert process.returncode == 0, "".join(lines[-60:])
        yield "".join(lines)
    finally:
        subprocess.run([*command, "down"], cwd=ROOT, check=False)


@pytest.fixture(scope="session")
def shell(demo_output: str) -> Shell:
    """Programs with the environment of the demo's cluster."""
    shell = Shell()
    shell.use_cluster()
    return shell
