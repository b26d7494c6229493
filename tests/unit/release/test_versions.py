"""The release's check notices each place that names another version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hack.release.versions import faults, project_version

ROOT = Path(__file__).resolve().parents[3]
PLACES = (
    "pyproject.toml",
    "CHANGELOG.md",
    "charts/reranker-operator/Chart.yaml",
    "service/reranker_service/__init__.py",
    "operator/reranker_operator/settings.py",
    "docs/openapi.json",
    "uv.lock",
    "README.md",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for place in PLACES:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_this_checkout_fits() -> None:
    assert faults(ROOT, final=False) == []


@pytest.mark.parametrize(
    ("place", "old", "new", "named"),
    [
        ("charts/reranker-operator/Chart.yaml", "version: {}", "version: 9.9.9", "Chart.yaml version says 9.9.9"),
        ("charts/reranker-operator/Chart.yaml", 'appVersion: "{}"', 'appVersion: "9.9.9"', "appVersion says 9.9.9"),
        ("charts/reranker-operator/Chart.yaml", "reranker-bench:{}", "reranker-bench:9.9.9", "images reranker-bench"),
        ("service/reranker_service/__init__.py", '"{}"', '"9.9.9"', "reranker_service.__version__ says 9.9.9"),
        ("service/reranker_service/__init__.py", "__version__", "__ver__", "__version__ says nothing"),
        ("operator/reranker_operator/settings.py", "cpu:{}", "cpu:9.9.9", "reranker-service-cpu says 9.9.9"),
        ("docs/openapi.json", '"version": "{}"', '"version": "9.9.9"', "openapi.json info.version says 9.9.9"),
        ("README.md", "# ", "Run reranker-bench:9.9.9.\n# ", "README.md, reranker-bench says 9.9.9"),
        ("pyproject.toml", 'version = "{}"', 'version = "9.9.9"', "pyproject.toml says 9.9.9"),
    ],
)
def test_another_version_is_named_with_its_place(checkout: Path, place: str, old: str, new: str, named: str) -> None:
    change(checkout / place, old.format(project_version(ROOT)), new)
    assert any(named in fault for fault in faults(checkout, final=False))


def test_a_final_release_needs_a_dated_section(checkout: Path) -> None:
    version = project_version(checkout)
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n* A thing.\n")
    assert faults(checkout, final=False) == []
    assert "has no section" in faults(checkout, final=True)[0]
    (checkout / "CHANGELOG.md").write_text(
        f"# Changelog\n\n## [Unreleased]\n\n## [{version}] - 2026-01-31\n\n* A thing.\n"
    )
    assert faults(checkout, final=True) == []


def test_a_release_needs_something_to_say(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [0.0.1] - 2026-01-01\n\n* Old.\n")
    assert "nothing under '## [Unreleased]'" in faults(checkout, final=False)[0]
