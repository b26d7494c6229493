"""Exact duplicates are scored once."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Deduplicated(Generic[T]):
    """`unique` items in order of first appearance; `positions[i]` is the index in `unique` of item i."""

    unique: list[T]
    positions: list[int]

    @property
    def removed(self) -> int:
        """How many items need no scoring of their own."""
        return len(self.positions) - len(self.unique)


def deduplicate(items: Sequence[T]) -> Deduplicated[T]:
    """Find items that are equal character by character (no normalisation: other bytes may score otherwise)."""
    index_of: dict[T, int] = {}
    positions = [index_of.setdefault(item, len(index_of)) for item in items]
    return Deduplicated(unique=list(index_of), positions=positions)
