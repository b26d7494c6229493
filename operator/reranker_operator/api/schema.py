"""From a pydantic model to the structural OpenAPI schema of a CRD.

Pydantic writes JSON Schema with references and unions with null; Kubernetes wants neither. An optional field is simply
one that is not required. Keywords that start with `x-kubernetes-` pass through as the models give them.
"""

import copy
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Schema = dict[str, Any]

_FIRST = ("description", "type", "format", "default", "enum")
_DROPPED = frozenset({"title", "discriminator"})


def structural_schema(model: type[BaseModel]) -> Schema:
    """The model's schema without references, titles and nulls.

    Raises:
        ValueError: for what a structural schema can't say, such as a union of two types.
    """
    _, document = models_json_schema([(model, "validation")], by_alias=True)
    definitions = document["$defs"]
    return _structural(definitions[model.__name__], definitions)


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _resolved(node, definitions)
    result: Schema = {}
    for key, value in node.items():
        if key in _DROPPED or (value is None and key in ("default", "additionalProperties")):
            continue
        if key == "const":
            result["enum"] = [value]  # a structural schema has no constants
        elif key == "properties":
            result[key] = {name: _structural(child, definitions) for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _structural(value, definitions)
        else:
            result[key] = copy.deepcopy(value)
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if isinstance(result.get("default"), dict):
        # The server checks rules against a default before it fills in those of its fields: it must be whole.
        result["default"] = {key: value for key, value in result["default"].items() if value is not None}
    return {key: result[key] for key in sorted(result, key=_rank)}


def _rank(keyword: str) -> int:
    """What a reader wants to know first stands first; the rest keeps its order."""
    return _FIRST.index(keyword) if keyword in _FIRST else len(_FIRST)


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node with its reference followed and its union with null opened; what stands beside them wins."""
    if "$ref" in node:
        target = _resolved(definitions[node["$ref"].rpartition("/")[2]], definitions)
        return {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    if "anyOf" in node and "x-kubernetes-int-or-string" not in node:
        members = [member for member in node["anyOf"] if member != {"type": "null"}]
        if len(members) != 1:
            raise ValueError(f"a structural schema has no union: {node}")
        beside = {key: value for key, value in node.items() if key != "anyOf"}
        return {**_resolved(members[0], definitions), **beside}
    return node
