"""What is wrong with a value, in one line: file or variable, key, what is allowed there, and what was found."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from reranker_service.config_file import BACKENDS_PATH, RERANK_PATH, suggest

_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "null",
    dict: "a mapping",
}
_BOUNDS = ((Ge, "ge", "at least"), (Gt, "gt", "above"), (Le, "le", "at most"), (Lt, "lt", "below"))


def allowed(field: FieldInfo) -> str:
    """What a key may hold, in words: `a whole number, at least 32`, or the names it may have."""
    kinds = [kind for kind in _alternatives(field.annotation) if kind is not NoneType]
    words = " or ".join(_kind_in_words(kind) for kind in kinds)
    limits = [_limit_in_words(each) for each in _metadata(field)]
    optional = " (or null)" if NoneType in _alternatives(field.annotation) else ""
    return ", ".join(filter(None, [words, *limits])) + optional


@dataclass(frozen=True, slots=True)
class Source:
    """Where values came from, and the models that they were checked by.

    path: the file. backend: whose block was read. sections: the model of each section beside the blocks, by its key.
    block: the model of a backend's block. prefix: of the environment variables that win over the file; None where they
    don't count.
    """

    path: Path
    backend: str
    sections: Mapping[str, type[BaseModel]]
    block: type[BaseModel]
    prefix: str | None

    def explain(self, error: ValidationError) -> list[str]:
        """One line for each fault."""
        return [self._explain_one(detail) for detail in error.errors()]

    def _explain_one(self, detail: Any) -> str:
        location = [str(part) for part in detail["loc"]]
        key, fields = self._key(location)
        variable = f"{self.prefix}{'__'.join(location).upper()}"
        where = variable if self.prefix and variable in os.environ else f"{self.path}: {key}"
        if detail["type"] == "extra_forbidden":
            return f"{where}: unknown key. {suggest(location[-1], tuple(fields))}"
        if detail["type"] == "missing":
            return f"{where}: missing; set it in the file or as {variable}"
        message = str(detail["msg"]).removeprefix("Value error, ")
        name = next((part for part in location if part in fields), None)
        if name is not None:
            message += f". Allowed: {allowed(fields[name])}"
        if isinstance(detail["input"], str | int | float | bool):
            message += f" (it is {detail['input']!r})"
        return f"{where}: {message}"

    def _key(self, location: list[str]) -> tuple[str, Mapping[str, FieldInfo]]:
        """The full key of a place, and the fields beside it."""
        if location[:1] == ["backend"]:
            return f"{RERANK_PATH}.backend", {}
        if location and location[0] in self.sections:
            return ".".join([RERANK_PATH, *location]), self.sections[location[0]].model_fields
        return ".".join([BACKENDS_PATH, self.backend, *location]), self.block.model_fields


def _alternatives(annotation: Any) -> Sequence[Any]:
    # `Literal[...] | None` is of the older kind.
    return get_args(annotation) if get_origin(annotation) in {UnionType, Union} else [annotation]


def _kind_in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    return _WORDS.get(get_origin(kind) or kind, str(kind))


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """A field's limits, also those inside an optional one's alternatives."""
    yield from field.metadata
    for kind in _alternatives(field.annotation):
        yield from getattr(kind, "__metadata__", ())


def _limit_in_words(limit: Any) -> str:
    if isinstance(limit, MinLen):
        return "not empty"
    return next((f"{words} {getattr(limit, name):g}" for kind, name, words in _BOUNDS if isinstance(limit, kind)), "")
