"""Do all the places that name the version name the same one, and does the changelog have something to say about it?"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)

# What users copy from: an image that is named there with a number has the number of this version.
PAGES = ("README.md", "docs/**/*.md", "examples/**/*.yaml", "examples/**/*.md", "charts/**/*.md")
IMAGE = re.compile(r"(reranker-(?:operator|service-cpu|service|bench)):v?(\d+\.\d+\.\d+[\w.-]*)")


def project_version(root: Path) -> str:
    """The version in pyproject.toml, which all others have to match."""
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def faults(root: Path, *, final: bool) -> list[str]:
    """What doesn't fit, each with what to do.

    Args:
        root: of the checkout.
        final: the changelog must have a dated section of this version; else what is unreleased is enough.
    """
    version = project_version(root)
    found = [
        f"{where} says {said}, pyproject.toml says {version}: make them the same"
        for where, said in _named(root)
        if said != version
    ]
    return found + _changelog(root, version, final=final)


def _named(root: Path) -> Iterator[tuple[str, str]]:
    """Places and the versions that they name."""
    chart = yaml.safe_load((root / "charts/reranker-operator/Chart.yaml").read_text(encoding="utf-8"))
    yield "Chart.yaml version", str(chart["version"])
    yield "Chart.yaml appVersion", str(chart["appVersion"])
    for image in yaml.safe_load(chart["annotations"]["artifacthub.io/images"]):
        yield f"Chart.yaml artifacthub.io/images {image['name']}", str(image["image"]).rpartition(":")[2]
    service = (root / "service/reranker_service/__init__.py").read_text(encoding="utf-8")
    yield "reranker_service.__version__", _one(r'__version__ = "([^"]+)"', service)
    settings = (root / "operator/reranker_operator/settings.py").read_text(encoding="utf-8")
    for name, tag in re.findall(r'"(reranker-[a-z-]+):([^"]+)"', settings):
        yield f"settings.py of the operator, {name}", tag
    openapi = json.loads((root / "docs/openapi.json").read_text(encoding="utf-8"))
    yield "docs/openapi.json info.version", str(openapi["info"]["version"])
    lock = tomllib.loads((root / "uv.lock").read_text(encoding="utf-8"))["package"]
    yield "uv.lock", next((each["version"] for each in lock if each["name"] == "reranker-operator"), "nothing")
    for file in (each for pattern in PAGES for each in sorted(root.glob(pattern)) if each.is_file()):
        for name, tag in IMAGE.findall(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(root)}, {name}", tag


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found.group(1) if found else "nothing"


def _changelog(root: Path, version: str, *, final: bool) -> list[str]:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    sections = {
        heading["version"]: (heading["date"], text[heading.end() : end])
        for heading, end in zip(headings, ends, strict=True)
    }
    date, body = sections.get(version, (None, ""))
    if date and body.strip():
        return []
    if final:
        return [
            f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD' with an entry: move what is unreleased there"
        ]
    if sections.get("Unreleased", (None, ""))[1].strip() or body.strip():
        return []
    return ["CHANGELOG.md has nothing under '## [Unreleased]': say what changes for users"]
