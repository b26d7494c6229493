"""Exact duplicates are scored once."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """`unique` texts in order of first appearance; `positions[i]` is the index in `unique` of document i."""

    unique: list[str]
    positions: list[int]

    @property
    def removed(self) -> int:
        """How many documents need no scoring of their own."""
        return len(self.positions) - len(self.unique)


def deduplicate(documents: Sequence[str]) -> Deduplicated:
    """Find documents that are equal character by character (no normalisation: other bytes may score otherwise)."""
    index_of: dict[str, int] = {}
    positions = [index_of.setdefault(document, len(index_of)) for document in documents]
    return Deduplicated(unique=list(index_of), positions=positions)
