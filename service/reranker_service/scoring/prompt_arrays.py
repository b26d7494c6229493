"""Prompts of one request as three arrays: what travels from the tokenizer to the engine.

At a thousand documents an object and a list of ids for each of them cost more time than a GPU needs for the model, and
the head, which all of a request's prompts share, would be copied a thousand times only to be found out again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Prompts:
    """`n` prompts that begin alike.

    head: (h,) the ids that each of them begins with, possibly none. bodies: all ids behind the head, one prompt after
    another. lengths: (n,) ids of each body. ends: (n + 1,) where each body ends in `bodies`, from 0 on.
    """

    head: Ints
    bodies: Ints
    lengths: Ints
    ends: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ends = np.zeros(len(self.lengths) + 1, np.int64)
        np.cumsum(self.lengths, out=ends[1:])
        object.__setattr__(self, "ends", ends)

    @classmethod
    def from_lists(cls, prompts: Sequence[list[int]]) -> Self:
        """Whole prompts; what all of them begin with becomes the head, but for one id that each keeps.

        Raises:
            ValueError: a prompt is empty, or an id is no integer of 32 bits.
        """
        if not all(map(len, prompts)):
            raise ValueError("an empty prompt has no score")
        shared = _shared(prompts)
        bodies = [prompt[shared:] for prompt in prompts]
        lengths = np.fromiter(map(len, bodies), np.int32, len(bodies))
        head = prompts[0][:shared] if prompts else []
        return cls(as_ids(head, shared), as_ids(chain.from_iterable(bodies), int(lengths.sum())), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """Ids of the longest prompt."""
        return len(self.head) + int(self.lengths.max(initial=0))

    @property
    def tokens(self) -> int:
        """Ids of all prompts, the head counted for each."""
        return len(self.head) * len(self) + len(self.bodies)

    def slice(self, start: int, stop: int) -> "Prompts":
        """The prompts from `start` up to `stop`, as views."""
        return Prompts(self.head, self.bodies[self.ends[start] : self.ends[stop]], self.lengths[start:stop])

    def take(self, order: NDArray[np.int64]) -> "Prompts":
        """The prompts that `order` names, in that order."""
        lengths = self.lengths[order]
        ends = np.cumsum(lengths, dtype=np.int64)
        place = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.ends[order] - ends + lengths, lengths)
        return Prompts(self.head, self.bodies[place], lengths)

    def lists(self) -> list[list[int]]:
        """Each prompt's ids, for an engine that takes one prompt at a time."""
        head, bodies, ends = self.head.tolist(), self.bodies.tolist(), self.ends.tolist()
        return [head + bodies[start:stop] for start, stop in pairwise(ends)]


def as_ids(ids: "chain[int] | Sequence[int]", count: int) -> Ints:
    """`count` ids as an array.

    Raises:
        ValueError: an id is no integer of 32 bits.
    """
    try:
        return np.fromiter(ids, np.int32, count)
    except OverflowError as error:
        raise ValueError(f"token ids are integers of 32 bits: {error}") from error


def _shared(prompts: Sequence[list[int]]) -> int:
    """Length of the longest common beginning that leaves each prompt one id; 0 for a single prompt."""
    if len(prompts) < 2:
        return 0
    # Lists order by their first difference, so the smallest and the largest differ no later than any other two.
    first, last = min(prompts), max(prompts)
    limit = min(map(len, prompts)) - 1
    return next((place for place in range(limit) if first[place] != last[place]), limit)
