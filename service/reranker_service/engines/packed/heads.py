"""Keys and values of heads that have been computed before, so that what a new one begins with is not computed again.

Every prompt of a format begins with the same instruction, and every part of a large request with the same head: a
seventh of the tokens of a request of ten titles, a twentieth of those of each part that a CPU computes at once. A GPU
gains nothing from it: its parts are larger, and 50 rows more or less take no time.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reranker_service.engines.packed.plan import Part, Segment
from reranker_service.scoring.prompt_arrays import Ints

Places = NDArray[np.int64]


@dataclass(slots=True)
class Known:
    """A head's ids (h,) and, layer by layer, its keys and values (h, kv_heads, head_dim)."""

    ids: Ints
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)


class HeadMemory:
    """The heads of the latest requests, of up to `most` tokens together; 0 for none.

    A token takes 2 * kv_heads * head_dim elements a layer: at the 0.6B shape in float32, 512 tokens are 112 MiB.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._heads: OrderedDict[bytes, Known] = OrderedDict()

    def recall(self, part: Part) -> "Recollection":
        """A part, and what is known of its heads."""
        return Recollection(part, [self._recalled(part, segment) for segment in part.segments])

    def _recalled(self, part: Part, segment: Segment) -> "Recalled":
        ids = part.ids[segment.start : segment.documents]
        tokens, known = 0, None
        for each in self._heads.values():
            if (shared := _shared(ids, each.ids)) > tokens:
                tokens, known = shared, each
        if known is not None:
            self._heads.move_to_end(known.ids.tobytes())
        new = Known(ids.copy()) if tokens < len(ids) <= self._most else None
        return Recalled(segment, tokens, known, new)

    def keep(self, recollection: "Recollection") -> None:
        """Remember what a part's heads had that was not known, in place of what was used least lately."""
        for new in (each.new for each in recollection.heads if each.new is not None):
            self._heads[new.ids.tobytes()] = new
        while sum(len(each.ids) for each in self._heads.values()) > self._most:
            self._heads.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Recalled:
    """A segment whose head begins with `tokens` of a known one, if with any. `new` is filled, to be known later."""

    segment: Segment
    tokens: int
    known: Known | None
    new: Known | None


class Recollection:
    """A part, of which only those tokens are computed whose keys and values are not known.

    Args:
        part: all of it.
        heads: for each segment of the part.
    """

    def __init__(self, part: Part, heads: list[Recalled]) -> None:
        self.heads = heads
        self._tokens = len(part.ids)
        computed = np.ones(self._tokens, np.bool_)
        for each in heads:
            computed[each.segment.start : each.segment.start + each.tokens] = False
        self.rows: Places = np.flatnonzero(computed)
        """Tokens of the part that are computed."""
        self.last: Places = (np.cumsum(computed) - 1)[part.last]
        """(n,) the deciding tokens' places among those."""
        self._at = None if computed.all() else torch.from_numpy(self.rows)

    def with_known(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of all tokens in a layer, from those of the computed ones (tokens, kv_heads, head_dim)."""
        keys, values = self.spread(keys), self.spread(values)
        for each in self.heads:
            start = each.segment.start
            if each.known is not None:
                keys[start : start + each.tokens] = each.known.keys[layer][: each.tokens]
                values[start : start + each.tokens] = each.known.values[layer][: each.tokens]
            if each.new is not None:
                each.new.keys.append(keys[start : each.segment.documents].clone())
                each.new.values.append(values[start : each.segment.documents].clone())
        return keys, values

    def spread(self, states: Tensor) -> Tensor:
        """(all tokens, ...) with `states` of the computed ones where they belong; the others are not set."""
        if self._at is None:
            return states
        whole = states.new_empty(self._tokens, *states.shape[1:])
        whole[self._at] = states
        return whole

    def gathered(self, states: Tensor) -> Tensor:
        """The computed ones of `states` (all tokens, ...)."""
        return states if self._at is None else states[self._at]


def _shared(some: Ints, others: Ints) -> int:
    """How many ids two heads have in common, from their beginning on."""
    length = min(len(some), len(others))
    different = np.flatnonzero(some[:length] != others[:length])
    return int(different[0]) if len(different) else length
