"""From models to a structural schema."""

from typing import Any, Literal

import pytest

from reranker_operator.api.base import ApiModel, rule, with_rules
from reranker_operator.api.generate import deployment_crd
from reranker_operator.api.schema import structural_schema


class Inner(ApiModel):
    """The inner part."""

    model_config = with_rules(rule("self.size > 0", "size must be positive"))

    size: int = 3
    """How large."""
    other_name: str | None = None
    """Another name."""


class Outer(ApiModel):
    """The outer part."""

    kind: Literal["a", "b"]
    """Which one,
    over two lines."""
    only: Literal["x"] | None = None
    """This one."""
    inner: Inner = Inner()
    """What is inside."""
    many: list[Inner] | None = None
    """More of them."""


class Union(ApiModel):
    """Can't be said."""

    value: int | str
    """Either."""


def test_references_titles_and_nulls_are_gone():
    rules = [{"rule": "self.size > 0", "message": "size must be positive"}]
    inner = {
        "type": "object",
        "properties": {
            "size": {"description": "How large.", "type": "integer", "default": 3},
            "otherName": {"description": "Another name.", "type": "string"},
        },
        "x-kubernetes-validations": rules,
    }
    assert structural_schema(Outer) == {
        "description": "The outer part.",
        "type": "object",
        "required": ["kind"],
        "properties": {
            "kind": {"description": "Which one, over two lines.", "type": "string", "enum": ["a", "b"]},
            "only": {"description": "This one.", "type": "string", "enum": ["x"]},
            "inner": {**inner, "description": "What is inside.", "default": {"size": 3}},
            "many": {
                "description": "More of them.",
                "type": "array",
                "items": {**inner, "description": "The inner part."},
            },
        },
    }


def test_union_is_refused():
    with pytest.raises(ValueError, match="a structural schema has no union"):
        structural_schema(Union)


def test_every_field_of_the_crd_is_described():
    schema = deployment_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    undescribed = [path for path, node in fields(schema) if not node.get("description") and path != "metadata"]
    assert undescribed == []


def fields(node: dict[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    """All fields of a schema with their paths."""
    found = [(f"{prefix}{name}", child) for name, child in node.get("properties", {}).items()]
    deeper = [entry for path, child in found for entry in fields(child, f"{path}.")]
    items = node.get("items")
    return found + deeper + (fields(items, f"{prefix}[].") if items else [])
