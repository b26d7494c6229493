"""Versions of the project side by side: a checkout has a chart, and images that it builds itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.demo.shell import ROOT, Shell, StepError


@dataclass(frozen=True)
class Checkout:
    """A folder with the project at some commit."""

    folder: Path

    @property
    def chart(self) -> Path:
        """The operator's chart."""
        return self.folder / "charts" / "reranker-operator"

    @property
    def commit(self) -> str:
        """Short, with a plus sign where files differ from it."""
        described = ("describe", "--always", "--abbrev=7", "--exclude=*", "--dirty=+")
        return git(self.folder, *described)

    def load(self, shell: Shell, targets: Sequence[str]) -> dict[str, str]:
        """Build these images and hand them to the node at once, since a later build may remove them; target: name."""
        images = {}
        for line in shell.output(str(self.folder / "hack/images/build"), *targets).splitlines():
            name, _, reference = line.partition("=")
            images[name.removeprefix("reranker-")] = reference
        shell.run(str(self.folder / "hack/images/load"), *targets)
        return images


def at_commit(commit: str, folder: Path) -> Checkout:
    """A clone of this repository at a commit, with this checkout's Python environment."""
    if not folder.exists():
        git(ROOT, "clone", "--quiet", "--shared", str(ROOT), str(folder))
        git(folder, "checkout", "--quiet", commit)
        (folder / ".venv").symlink_to(Path(sys.prefix))
    return Checkout(folder)


def git(folder: Path, *arguments: str) -> str:
    """What a git command prints; a `StepError` when it fails."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], text=True, capture_output=True, check=False)
    if done.returncode:
        raise StepError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
