"""Which dialect a body on a shared path is in, told by the fields that only one of them has."""

from typing import Any, Literal

Shape = Literal["Rerank", "TEI", "Voyage"]
SHAPES: tuple[Shape, ...] = ("Rerank", "TEI", "Voyage")


def shape_of(body: Any) -> Shape:
    """TEI has `texts`, Voyage `top_k`, if only as null; every other body is the shared one, also what is no object."""
    if isinstance(body, dict):
        if "texts" in body:
            return "TEI"
        if "top_k" in body:
            return "Voyage"
    return "Rerank"
