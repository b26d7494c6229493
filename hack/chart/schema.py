"""The JSON schema of the values: every object closed, so that a misspelt key is refused and not ignored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hack.chart.values import Value

DEFINITIONS = Path(__file__).with_name("definitions.yaml")


def schema(chart: str, values: Sequence[Value]) -> dict[str, Any]:
    """The whole schema, with the definitions that the values refer to."""
    properties: dict[str, Any] = {
        "global": {
            "description": "Helm hands this to every subchart; this chart reads nothing of it.",
            "type": "object",
        }
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"Values of the chart {chart}",
        "type": "object",
        "additionalProperties": False,
        "properties": properties | {value.key: _of(value) for value in values},
        "definitions": yaml.safe_load(DEFINITIONS.read_text(encoding="utf-8")),
    }


def _of(value: Value) -> dict[str, Any]:
    described = {"description": " ".join(line.strip() for line in value.explanation)}
    if value.children:
        return (
            described
            | {"type": "object", "additionalProperties": False}
            | value.annotation
            | {"properties": {child.key: _of(child) for child in value.children}}
        )
    if "$ref" in value.annotation:
        # Beside a $ref draft 7 ignores everything, descriptions included; allOf keeps both.
        annotation = {key: item for key, item in value.annotation.items() if key != "$ref"}
        return described | {"allOf": [{"$ref": f"#/definitions/{value.annotation['$ref']}"}]} | annotation
    return described | _inferred(value.default) | value.annotation


def _inferred(default: object) -> dict[str, Any]:
    """What the default alone says."""
    match default:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list():
            return {"type": "array"}
        case _:
            return {"type": "object", "additionalProperties": False}
