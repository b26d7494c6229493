"""Reads values.yaml with its comments: they are the one source of the chart's schema and of its README's table.

A comment stands right above its key. A line `# @schema {…}` in it is laid over what the schema would say from the
default alone; everything else is the explanation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ANNOTATION = "@schema "


class ValuesError(Exception):
    """values.yaml can't be documentation as it stands; the message names the line and what is missing."""


@dataclass(frozen=True)
class Value:
    """One key of values.yaml."""

    path: str
    """Dotted, from the top."""
    default: Any
    explanation: tuple[str, ...]
    """The comment's lines, without the hash and one space."""
    annotation: dict[str, Any]
    """What the comment adds to the schema."""
    children: tuple["Value", ...] = field(default=())
    """The keys below it, unless the value is one whole to the templates."""

    @property
    def key(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    def leaves(self) -> Iterator["Value"]:
        """The values without children, itself included."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def read(path: Path) -> tuple[Value, ...]:
    """The values of a chart, in the file's order.

    Raises:
        ValuesError: a key has no explanation, an annotation is no mapping, or the file is no mapping.
    """
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValuesError(f"{path.name}: not a mapping")
    return tuple(_values(root, yaml.safe_load(text), text.splitlines(), above=""))


def _values(node: yaml.MappingNode, content: dict[str, Any], lines: list[str], *, above: str) -> Iterator[Value]:
    for key_node, value_node in node.value:
        key = str(key_node.value)
        path = f"{above}{key}"
        explanation, annotation = _comment(lines, key_node.start_mark.line, path)
        whole = "$ref" in annotation or annotation.get("type") or not isinstance(value_node, yaml.MappingNode)
        children = () if whole else tuple(_values(value_node, content[key], lines, above=f"{path}."))
        yield Value(path, content[key], explanation, annotation, children)


def _comment(lines: list[str], line: int, path: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The comment above a line, its annotation taken out."""
    first = line
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    text = [each.strip().removeprefix("#").removeprefix(" ") for each in lines[first:line]]
    annotations = [each.removeprefix(ANNOTATION) for each in text if each.startswith(ANNOTATION)]
    explanation = tuple(each for each in text if not each.startswith(ANNOTATION))
    if not explanation:
        raise ValuesError(f"values.yaml:{line + 1}: {path} has no comment right above it: say what it does")
    merged: dict[str, Any] = {}
    for annotation in annotations:
        parsed = yaml.safe_load(annotation)
        if not isinstance(parsed, dict):
            raise ValuesError(f"values.yaml:{line + 1}: {path}: '{ANNOTATION}' must be followed by a mapping")
        merged |= parsed
    return explanation, merged
