"""Brings up the local node, writes down what was seen on it, and takes it down again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from hack.demo.shell import ROOT, Shell, StepError
from hack.demo.up import Demo


def write_from_node(path: Path, see: Callable[[Shell, Demo], Sequence[str]]) -> int:
    """Write the paragraphs that `see` returns, which finds a node with the images and the operator; the exit status."""
    shell = Shell()
    demo = Demo(shell, Console())
    try:
        demo.bring_up_cluster()
        demo.build_images()
        demo.install_operator()
        paragraphs = see(shell, demo)
        path.write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    except StepError as error:
        print(f"{path.stem}: {error}", file=sys.stderr)
        return 1
    finally:
        subprocess.run(["hack/cluster/cluster", "down"], cwd=ROOT, check=False)
    return 0
