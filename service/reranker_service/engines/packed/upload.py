"""What the host sends to the device for a forward pass and gets back: a few integer arrays in one copy each way."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reranker_service.engines.packed.plan import TILE_FIELDS, Part
from reranker_service.scoring.prompt_arrays import Ints

# Triton compiles kernels apart for pointers that are no multiples of 16 bytes: what they are given starts at multiples
# of so many integers.
ALIGNED = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a forward pass: tokens, documents, tiles of tokens and of documents."""

    tokens: int
    documents: int
    tiles: int
    last_tiles: int

    @property
    def sections(self) -> tuple[int, ...]:
        """Integers in each section of an upload, in the order of `Inputs`."""
        tiles, ends = TILE_FIELDS * self.tiles, TILE_FIELDS * self.last_tiles
        return self.tokens, self.tokens, self.documents, tiles, ends

    @property
    def total(self) -> int:
        """Integers in one upload."""
        return sum(map(_aligned, self.sections))

    def holds(self, other: "Shape") -> bool:
        """Whether a part of shape `other` fits in."""
        return (
            self.tokens >= other.tokens
            and self.documents >= other.documents
            and self.tiles >= other.tiles
            and self.last_tiles >= other.last_tiles
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """A part on the device, views of one buffer; see `plan.Part` and the tiles there."""

    ids: Tensor
    positions: Tensor
    last: Tensor
    tiles: Tensor
    last_tiles: Tensor


class AnswerMemory:
    """Pinned memory for the log-odds of a few submissions at once, of `size` documents each.

    Taken anew only where that is not enough, which a service's limits prevent.
    """

    def __init__(self, size: int, submissions: int) -> None:
        self._size = size
        self._free = [torch.empty(size, dtype=torch.float32, pin_memory=True) for _ in range(submissions)]

    def take(self, documents: int) -> Tensor:
        """Memory for at least so many."""
        if documents <= self._size and self._free:
            return self._free.pop()
        return torch.empty(documents, dtype=torch.float32, pin_memory=True)

    def give_back(self, memory: Tensor) -> None:
        """What `take` returned, once it has been read."""
        if len(memory) == self._size:
            self._free.append(memory)


def fill(buffer: Ints, shape: Shape, part: Part, tiles: Ints, ends: Ints) -> None:
    """Write a part into `buffer` in the order of `views`, zeros where the shape is larger: no rows, no keys."""
    arrays = (part.ids, part.positions, part.last, tiles.ravel(), ends.ravel())
    place = 0
    for array, size in zip(arrays, shape.sections, strict=True):
        buffer[place : place + len(array)] = array
        buffer[place + len(array) : place + _aligned(size)] = 0
        place += _aligned(size)


def views(buffer: Tensor, shape: Shape) -> Inputs:
    """The sections of an upload."""
    pieces = buffer.split([_aligned(size) for size in shape.sections])
    exact = [piece[:size] for piece, size in zip(pieces, shape.sections, strict=True)]
    return Inputs(*exact[:3], *(each.view(-1, TILE_FIELDS) for each in exact[3:]))


def _aligned(size: int) -> int:
    """Integers that a section takes."""
    return -(-size // ALIGNED) * ALIGNED
