"""What a target of the Dockerfile is made of: its instructions, and the files of the checkout that they copy.

An image's tag is a hash of just that, so that an edit of one image's stages or sources leaves the others as they are.
Only what our own Dockerfile uses is understood.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field


@dataclass
class Stage:
    """One `FROM ... AS name` and its instructions; `needs` are the stages that it is based on or takes files from."""

    name: str
    instructions: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """All that goes into one image."""

    instructions: tuple[str, ...]
    sources: tuple[str, ...]


def read_target(text: str, name: str) -> Target:
    """The instructions and context paths of the target `name` and of every stage beneath it, in the file's order.

    A `ValueError` names a target that the Dockerfile does not have.
    """
    preamble, stages = read_stages(text)
    if name not in stages:
        raise ValueError(f"the Dockerfile has no target {name}")
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in stages and current not in reached:
            reached.add(current)
            waiting += stages[current].needs
    parts = [stage for stage in stages.values() if stage.name in reached]
    return Target(
        instructions=(*preamble, *(line for stage in parts for line in stage.instructions)),
        sources=tuple(sorted({source for stage in parts for source in stage.sources})),
    )


def read_stages(text: str) -> tuple[list[str], dict[str, Stage]]:
    """The instructions before the first stage, and the stages by name."""
    preamble: list[str] = []
    stages: dict[str, Stage] = {}
    current: Stage | None = None
    for line in logical_lines(text):
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            base, _, alias = rest.partition(" AS ")
            current = stages[alias.strip()] = Stage(name=alias.strip(), needs=[base.strip()])
        if current is None:
            preamble.append(line)
            continue
        current.instructions.append(line)
        current.needs += re.findall(r"(?:--|,)from=([\w.-]+)", rest) if keyword in {"COPY", "RUN"} else []
        if keyword == "COPY" and "--from=" not in rest:
            words = [word for word in shlex.split(rest) if not word.startswith("--")]
            current.sources += words[:-1]
    return preamble, stages


def logical_lines(text: str) -> list[str]:
    """The instructions, each on one line with single spaces; comments and empty lines are gone."""
    kept = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return [" ".join(line.split()) for line in re.sub(r"\\\n", " ", kept).splitlines()]
