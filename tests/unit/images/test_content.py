"""An image's tag changes when something of the image changes, and at no other time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hack.images.content import content_tag

DOCKERFILE = """\
ARG BASE=debian
FROM ${BASE} AS tools
RUN apt-get install uv
FROM tools AS lists
COPY pyproject.toml uv.lock ./
FROM ${BASE} AS operator
COPY --from=lists /lists /lists
COPY operator operator
COPY build/model /model
FROM ${BASE} AS bench
COPY bench bench
"""
PYPROJECT = """\
[project]
name = "product"
version = "1.0"
[tool.uv]
override-dependencies = ["torch==2"]
[tool.ruff]
line-length = 100
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    files = {
        "Dockerfile": DOCKERFILE,
        "pyproject.toml": PYPROJECT,
        "uv.lock": "version = 1\n",
        "operator/package/code.py": "print('one')\n",
        "bench/package/code.py": "print('two')\n",
        "README.md": "read me\n",
        ".gitignore": "/build/\n__pycache__/\n",
        "build/model/weights": "0.5",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def tag(root: Path, target: str = "operator", base: str = "base") -> str:
    return content_tag(root, target, base)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_tag_is_one_that_a_registry_takes(checkout: Path) -> None:
    assert tag(checkout).isalnum()
    assert tag(checkout) == tag(checkout)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("operator/package/code.py", "one", "three"),
        ("uv.lock", "1", "2"),
        ("Dockerfile", "install uv", "install uv=2"),
        ("Dockerfile", "/model\nFROM", "/models\nFROM"),
        ("pyproject.toml", "1.0", "1.1"),
        ("pyproject.toml", "torch==2", "torch==3"),
        ("build/model/weights", "0.5", "0.6"),
    ],
)
def test_a_change_of_what_goes_into_the_image_changes_the_tag(checkout: Path, name: str, old: str, new: str) -> None:
    before = tag(checkout)
    replace(checkout / name, old, new)
    assert tag(checkout) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("bench/package/code.py", "two", "three"),
        ("README.md", "read", "reread"),
        ("Dockerfile", "COPY bench bench", "COPY bench /bench"),
        ("Dockerfile", "RUN apt-get", "# why\nRUN   apt-get"),
        ("pyproject.toml", "100", "120"),
    ],
)
def test_a_change_of_anything_else_leaves_it(checkout: Path, name: str, old: str, new: str) -> None:
    before = tag(checkout)
    replace(checkout / name, old, new)
    assert tag(checkout) == before


def test_a_new_file_and_a_deleted_one_change_the_tag(checkout: Path) -> None:
    before = tag(checkout)
    new = checkout / "operator" / "package" / "new.py"
    new.write_text("", encoding="utf-8")
    assert tag(checkout) != before
    new.unlink()
    assert tag(checkout) == before
    (checkout / "operator" / "package" / "code.py").rename(checkout / "operator" / "package" / "other.py")
    assert tag(checkout) != before


def test_a_file_that_becomes_a_program_changes_the_tag(checkout: Path) -> None:
    before = tag(checkout)
    (checkout / "operator" / "package" / "code.py").chmod(0o755)
    assert tag(checkout) != before


def test_ignored_files_do_not_matter(checkout: Path) -> None:
    before = tag(checkout)
    cache = checkout / "operator" / "package" / "__pycache__"
    cache.mkdir()
    (cache / "code.pyc").write_bytes(b"compiled")
    assert tag(checkout) == before


def test_another_base_image_changes_the_tag(checkout: Path) -> None:
    assert tag(checkout, base="another") != tag(checkout)


def test_a_path_that_is_missing_is_named(checkout: Path) -> None:
    (checkout / "build" / "model" / "weights").unlink()
    with pytest.raises(FileNotFoundError, match="build/model"):
        tag(checkout)
    assert tag(checkout, "bench")
