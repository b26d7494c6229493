"""The Dockerfile's reader: what belongs to a target, and that the build context lets it through."""

from __future__ import annotations

import fnmatch
from pathlib import PurePosixPath

import pytest

from hack.images.content import DOCKERFILE, packaged_files
from hack.images.dockerfile import read_target
from hack.images.names import DEFAULT_TARGETS, MODEL, ROOT, TARGETS

TEXT = """\
# a comment
ARG BASE=debian
FROM ${BASE} AS tools
COPY lock ./
RUN one \\
 && two

FROM tools AS other
COPY other other

FROM ${BASE} AS kit
COPY helper /helper

FROM ${BASE} AS app
RUN --mount=type=bind,from=tools,source=/a,target=/a   --mount=type=cache,target=/c  install
COPY --chown=1:1 app/one app/two /app/
COPY --from=kit /helper /helper
"""


def test_a_target_is_its_stage_and_those_that_it_takes_from() -> None:
    target = read_target(TEXT, "app")
    assert target.sources == ("app/one", "app/two", "helper", "lock")
    assert "RUN one && two" in target.instructions
    assert not any("other" in line for line in target.instructions)


def test_an_unknown_target_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="no target nothing"):
        read_target(TEXT, "nothing")


def ignored(path: str, patterns: list[str]) -> bool:
    """Docker's rule: the last pattern that matches the path, or a folder above it, decides."""
    result = False
    steps = [str(PurePosixPath(*PurePosixPath(path).parts[: n + 1])) for n in range(len(PurePosixPath(path).parts))]
    for pattern in patterns:
        plain = pattern.removeprefix("!").removeprefix("**/")
        anywhere = "**/" in pattern
        if any(fnmatch.fnmatchcase(step.rpartition("/")[2] if anywhere else step, plain) for step in steps):
            result = not pattern.startswith("!")
    return result


@pytest.fixture
def patterns() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("target", TARGETS)
def test_the_build_context_holds_all_that_the_dockerfile_copies(target: str, patterns: list[str]) -> None:
    sources = read_target((ROOT / DOCKERFILE).read_text(encoding="utf-8"), target).sources
    model = str(MODEL.relative_to(ROOT))
    files = [str(path.relative_to(ROOT)) for path in packaged_files(ROOT, [name for name in sources if name != model])]
    if model in sources:
        files.append(f"{model}/config.json")
    assert [name for name in files if ignored(name, patterns)] == []


@pytest.mark.parametrize(
    "path",
    [
        "tests/unit/images/test_dockerfile.py", ".git/config", ".venv/bin/python", "build/other/file", "docs/index.md",
        "operator/reranker_operator/__pycache__/x.cpython-311.pyc", "hack/images/content.py",
        "build/models/tiny-reranker/.partial-x/model.safetensors",
    ],
)  # fmt: skip
def test_the_build_context_holds_nothing_else(path: str, patterns: list[str]) -> None:
    assert ignored(path, patterns)


def test_the_images_built_by_default_hold_no_package_that_is_not_theirs() -> None:
    text = (ROOT / DOCKERFILE).read_text(encoding="utf-8")
    copied = {target: set(read_target(text, target).sources) & {"operator", "service", "bench"} for target in TARGETS}
    assert copied == {"operator": {"operator"}, "service-cpu": {"service"}, "bench": {"bench"}, "service": {"service"}}
    assert "service" not in DEFAULT_TARGETS


def test_the_image_for_gpus_is_made_without_the_stand_ins_for_cuda() -> None:
    target = read_target((ROOT / DOCKERFILE).read_text(encoding="utf-8"), "service")
    assert not any("cpu-torch" in line for line in (*target.sources, *target.instructions))
