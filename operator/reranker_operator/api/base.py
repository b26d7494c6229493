"""What all API models share: immutability, camelCase names, and field types that know their CRD schema.

A model is read from an object that the API server has already defaulted and validated. So unknown fields are ignored:
with a newer CRD an older operator goes on with what it knows instead of refusing every object.
"""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

JsonObject = dict[str, Any]

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class ApiModel(BaseModel):
    """A part of a custom resource. The docstring under a field is its description in the CRD."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def as_object(self) -> JsonObject:
        """The JSON object that Kubernetes knows, without absent fields."""
        return self.model_dump(by_alias=True, exclude_none=True)


def rule(expression: str, message: str) -> JsonDict:
    """One CEL rule of a CRD schema: what must hold, and what the user reads when it doesn't."""
    return {"rule": expression, "message": message}


def with_rules(*rules: JsonDict) -> ConfigDict:
    """A model's configuration with CEL rules on the object."""
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": [*rules]})


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `1m30s`, `1.5h`, as Go and CEL write durations; a `ValueError` for anything else."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 30s, 1m30s or 500ms")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _check_duration(text: str) -> str:
    parse_duration(text)
    return text


def duration_between(least: str, most: str, what: str) -> JsonDict:
    """Schema keywords that bound a `Duration` field."""
    expression = f"duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
    return {"x-kubernetes-validations": [rule(expression, f"{what} must be between {least} and {most}")]}


def above_zero(what: str) -> JsonDict:
    """Schema keywords that keep a fraction above 0: of a whole number, a fractional `minimum` is rounded down."""
    return {"x-kubernetes-validations": [rule("self > 0.0", f"{what} must be above 0")]}


Duration = Annotated[
    str,
    StringConstraints(max_length=16, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
    AfterValidator(_check_duration),
]
"""A length of time in Go's notation, such as `30s` or `1m30s`."""

Quantity = Annotated[
    int | str,
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$",
        }
    ),
]
"""A Kubernetes resource quantity."""

Opaque = Annotated[
    JsonObject,
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""An object that is handed on as it is: Kubernetes checks it where it is used."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
"""The name of another Kubernetes object."""
