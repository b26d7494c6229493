"""The tag of an image: a hash of all that goes into it, so that an image with that tag need not be built again."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

from hack.images.dockerfile import read_target

DOCKERFILE = "Dockerfile"
TAG_LENGTH = 12
# Of pyproject.toml these say what is installed; the rest configures linters and tests.
PACKAGING_TABLES = (("build-system",), ("project",), ("tool", "uv"), ("tool", "hatch"))


def content_tag(root: Path, target: str, base: str) -> str:
    """The tag of the image `target` of the checkout at `root`, on the base image that `base` identifies.

    A `FileNotFoundError` names a path that the Dockerfile copies and the checkout lacks.
    """
    parts = read_target((root / DOCKERFILE).read_text(encoding="utf-8"), target)
    digest = hashlib.sha256()
    for line in (base, *parts.instructions):
        digest.update(line.encode() + b"\n")
    for path in packaged_files(root, parts.sources):
        name = path.relative_to(root).as_posix()
        # What git would keep of a file: its name, whether it is a program, what it says.
        mode = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{name} {mode} {hashlib.sha256(file_content(path)).hexdigest()}\n".encode())
    return digest.hexdigest()[:TAG_LENGTH]


def packaged_files(root: Path, sources: Iterable[str]) -> list[Path]:
    """The files beneath the given paths, sorted: what git knows or would add; all of a path that git ignores."""
    found: set[Path] = set()
    for source in sources:
        files = git_files(root, source) or built_files(root / source)
        if not files:
            raise FileNotFoundError(f"the Dockerfile copies {source}, which is not there")
        found.update(files)
    return sorted(found)


def git_files(root: Path, source: str) -> list[Path]:
    """Tracked and new files beneath `source`, without deleted and ignored ones."""
    # The checkout may belong to another user than root, who builds the images; git wants to be told that this is meant.
    listing = subprocess.run(
        [
            "git", "-c", f"safe.directory={root}", "-C", str(root),
            "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", source,
        ],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    return [root / name for name in listing.split("\0") if name and (root / name).is_file()]


def built_files(path: Path) -> list[Path]:
    """Every file beneath a folder, but for unfinished ones."""
    return [file for file in path.rglob("*") if file.is_file() and ".partial-" not in file.as_posix()]


def file_content(path: Path) -> bytes:
    """What of a file matters: all of it, but of pyproject.toml only the tables that say what is installed."""
    content = path.read_bytes()
    return packaging_tables(content.decode()) if path.name == "pyproject.toml" else content


def packaging_tables(pyproject: str) -> bytes:
    """The tables of pyproject.toml from which packages are made, in a form without layout and comments."""
    document = tomllib.loads(pyproject)
    tables = {}
    for keys in PACKAGING_TABLES:
        table = document
        for key in keys:
            table = table.get(key, {})
        tables[".".join(keys)] = table
    return json.dumps(tables, sort_keys=True).encode()
