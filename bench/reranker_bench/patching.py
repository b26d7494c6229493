"""Sets single values in a YAML file and leaves every other character as it is.

Configuration files have comments, an order and quotes that mean something to whoever keeps them; to load and dump one
would lose all that. So the parser only says where a value stands, and the text is changed there. Afterwards the result
is parsed again: it must be the old document with just the wanted values changed, or nothing is returned.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

Scalar = str | int | float | bool | None
_BLOCK = ("|", ">")


class PatchError(ValueError):
    """The file can't be changed as wanted; the message says where and why."""


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


def patch(text: str, values: Mapping[str, Scalar]) -> str:
    """Set values by their dotted paths, `services.rerank.backend` for example.

    A value keeps its style of quotes where that can hold the new one; a missing key is added at the end of the deepest
    mapping of its path that is there, in that mapping's style and indentation.

    Raises:
        PatchError: if the text isn't one YAML mapping, or a path can't be set without touching something else.
    """
    for path, value in values.items():
        text = _set(text, path.split("."), value)
    return text


def parse_assignment(assignment: str) -> tuple[str, Scalar]:
    """`a.b=value` as path and value; the value is read as YAML reads it.

    Raises:
        PatchError: if it isn't one.
    """
    path, equals, written = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise PatchError(f"{assignment!r}: must be like services.rerank.backend=qwen3_vllm")
    try:
        value = yaml.safe_load(written)
    except yaml.YAMLError as error:
        raise PatchError(f"{path}: {written!r} is not a YAML value") from error
    if value is not None and not isinstance(value, str | int | float | bool):
        raise PatchError(f"{path}: {written!r} is a {type(value).__name__}; only single values can be set")
    return path, value


def _set(text: str, path: Sequence[str], value: Scalar) -> str:
    root = _compose(text)
    edit = _Patcher(text, root).edit(path, value)
    if edit is None:
        return text
    patched = text[: edit.start] + edit.text + text[edit.end :]
    _check(text, patched, path, value)
    return patched


def _compose(text: str) -> MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where is not None else ""
        raise PatchError(f"is not one YAML document: {getattr(error, 'problem', None) or error}{line}") from error
    if not isinstance(root, MappingNode):
        raise PatchError("holds no mapping at its top")
    return root


class _Patcher:
    """Finds what to change in one text."""

    def __init__(self, text: str, root: MappingNode) -> None:
        self._text = text
        self._root = root
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._uses: Counter[int] = Counter()
        self._count(root)

    def edit(self, path: Sequence[str], value: Scalar) -> _Edit | None:
        """The change that sets it; None when it has this value already."""
        mapping = self._root
        parent_column = -1
        for depth, key in enumerate(path):
            here = ".".join(path[: depth + 1])
            found = self._find(mapping, key, here)
            if found is None:
                return self._add(mapping, path[depth:], value, self._step(parent_column, mapping))
            key_node, node = found
            self._check_own(key_node, node, here)
            if depth == len(path) - 1:
                return self._replace(node, value, here)
            if isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index:
                return self._fill(key_node, node, path[depth + 1 :], value, self._step(parent_column, mapping))
            if not isinstance(node, MappingNode):
                raise PatchError(f"{here}: is not a mapping (line {node.start_mark.line + 1})")
            parent_column, mapping = key_node.start_mark.column, node
        raise AssertionError("a path has at least one key")

    def _find(self, mapping: MappingNode, key: str, here: str) -> tuple[Node, Node] | None:
        found = [(name, node) for name, node in mapping.value if isinstance(name, ScalarNode) and name.value == key]
        if len(found) > 1:
            raise PatchError(f"{here}: is there {len(found)} times; which one counts depends on the reader")
        return found[0] if found else None

    def _check_own(self, key: Node, node: Node, here: str) -> None:
        """Only what stands behind its key, and is used nowhere else, may be changed."""
        if node.start_mark.index < key.end_mark.index:
            raise PatchError(f"{here}: is an alias of what is written elsewhere; write the value out there first")
        if self._uses[id(node)] > 1:
            raise PatchError(f"{here}: is used elsewhere by an alias, which would change along with it")

    def _count(self, node: Node) -> None:
        self._uses[id(node)] += 1
        if self._uses[id(node)] > 1:
            return
        if isinstance(node, MappingNode):
            for key, value in node.value:
                self._count(key)
                self._count(value)
        elif isinstance(node.value, list):
            for item in node.value:
                self._count(item)

    def _replace(self, node: Node, value: Scalar, here: str) -> _Edit | None:
        if not isinstance(node, ScalarNode):
            kind = "mapping" if isinstance(node, MappingNode) else "list"
            raise PatchError(f"{here}: holds a {kind}, not a single value (line {node.start_mark.line + 1})")
        start, end = node.start_mark.index, node.end_mark.index
        written = self._text[start:end]
        if written.startswith(("&", "!")):
            raise PatchError(f"{here}: has an anchor or a tag (line {node.start_mark.line + 1}); change it by hand")
        if node.style in _BLOCK:
            raise PatchError(f"{here}: is a text of several lines (line {node.start_mark.line + 1}); change it by hand")
        if _same(yaml.safe_load(written) if written else None, value):
            return None
        new = write_scalar(value, node.style)
        return _Edit(start, end, new if written else f" {new}")

    def _add(self, mapping: MappingNode, keys: Sequence[str], value: Scalar, step: int) -> _Edit:
        if mapping.flow_style:
            return self._add_in_flow(mapping, keys, value)
        column = mapping.value[0][0].start_mark.column
        return self._insert_lines(_last(mapping), self._lines(keys, value, column, step))

    def _fill(self, key: Node, node: Node, keys: Sequence[str], value: Scalar, step: int) -> _Edit:
        """Below a key that has nothing behind it."""
        if self._in_flow(node.start_mark.index):
            nested = f" {_flow(keys, value)}"
            return _Edit(node.start_mark.index, node.end_mark.index, nested)
        return self._insert_lines(node, self._lines(keys, value, key.start_mark.column + step, step))

    def _in_flow(self, index: int) -> bool:
        def inside(node: Node) -> bool:
            if not node.start_mark.index <= index <= node.end_mark.index or not isinstance(node, MappingNode):
                return False
            return bool(node.flow_style) or any(inside(value) for _, value in node.value)

        return inside(self._root)

    def _add_in_flow(self, mapping: MappingNode, keys: Sequence[str], value: Scalar) -> _Edit:
        inner = _flow(keys, value)[1:-1]
        if not mapping.value:
            start, end = mapping.start_mark.index, mapping.end_mark.index
            head = self._text[start:end].partition("{")[0]
            return _Edit(start, end, f"{head}{{{inner}}}")
        at = mapping.value[-1][1].end_mark.index
        return _Edit(at, at, f", {inner}")

    def _lines(self, keys: Sequence[str], value: Scalar, column: int, step: int) -> list[str]:
        lines = [" " * (column + step * depth) + write_scalar(key) + ":" for depth, key in enumerate(keys)]
        lines[-1] += f" {write_scalar(value)}"
        return lines

    def _insert_lines(self, after: Node, lines: Sequence[str]) -> _Edit:
        """Behind the line on which a node ends, its comment included."""
        at = after.end_mark.index
        added = self._newline.join(lines)
        if isinstance(after, ScalarNode) and after.style in _BLOCK:
            # Such a text ends where the next line begins, blank lines between included.
            opening = "" if self._text[:at].endswith("\n") else self._newline
            return _Edit(at, at, opening + added + self._newline)
        end = self._text.find("\n", at)
        if end == -1:
            return _Edit(len(self._text), len(self._text), self._newline + added)
        return _Edit(end + 1, end + 1, added + self._newline)

    def _step(self, parent_column: int, mapping: MappingNode) -> int:
        """How far a level is indented here: from the parent's key to this mapping, or two."""
        if mapping.flow_style or not mapping.value or parent_column < 0:
            inner = next((v for _, v in mapping.value if isinstance(v, MappingNode) and not v.flow_style), None)
            if inner is None or not inner.value:
                return 2
            return max(1, int(inner.start_mark.column - mapping.start_mark.column))
        return max(1, int(mapping.value[0][0].start_mark.column) - parent_column)


def write_scalar(value: Scalar, style: str | None = None) -> str:
    """A value as YAML, in the given style of quotes where that can hold it; safe in flow collections too."""
    if not isinstance(value, str):
        return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and _plain(value):
        return value
    dumped = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=1 << 30)
    return dumped.removesuffix("\n")


def _plain(value: str) -> bool:
    """Whether it can stand without quotes and is still this text."""
    if not value or not value.isprintable() or re.search(r"[,\[\]{}]|: |:$| #", value) or value != value.strip():
        return False
    try:
        return bool(yaml.safe_load(f"[{value}]") == [value]) and bool(yaml.safe_load(f"a: {value}") == {"a": value})
    except yaml.YAMLError:
        return False


def _flow(keys: Sequence[str], value: Scalar) -> str:
    text = write_scalar(value)
    for key in reversed(keys):
        text = f"{{{write_scalar(key)}: {text}}}"
    return text


def _last(node: Node) -> Node:
    """The node that ends last inside a block collection."""
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        below = last[1] if isinstance(last, tuple) else last
        # An alias stands elsewhere: its key is what ends here.
        node = last[0] if isinstance(last, tuple) and below.start_mark.index < last[0].end_mark.index else below
    return node


def _check(before: str, after: str, path: Sequence[str], value: Scalar) -> None:
    wanted = copy.deepcopy(yaml.safe_load(before))
    mapping = wanted
    for key in path[:-1]:
        if mapping.get(key) is None:
            mapping[key] = {}
        mapping = mapping[key]
    mapping[path[-1]] = value
    try:
        got = yaml.safe_load(after)
    except yaml.YAMLError as error:
        raise PatchError(f"{'.'.join(path)}: can't be set here without breaking the file; change it by hand") from error
    if not _same(got, wanted):
        raise PatchError(f"{'.'.join(path)}: can't be set without changing something else; change it by hand")


def _same(one: object, other: object) -> bool:
    """Equal, and of the same types: 1 is not true."""
    return repr(one) == repr(other) or (one == other and type(one) is type(other) and not isinstance(one, dict | list))
