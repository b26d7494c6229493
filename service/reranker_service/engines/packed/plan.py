"""Lays prompts out for one forward pass: shared heads once, all documents behind them, no padding.

The layout is a few integer arrays that are the same for every device. Numpy does the work; there is no object per
document, and no statement per token.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reranker_service.scoring.prompt_arrays import Ints, Prompts

TILE_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """One request's share of a part: the head's tokens [start, documents), then its documents' up to `end`.

    `first` and `count` say which documents of the part these are. `runs` holds (documents, tokens each) of
    neighbours that are equally long, in order.
    """

    start: int
    documents: int
    end: int
    first: int
    count: int
    runs: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Part:
    """What one forward pass computes: T tokens, n documents.

    ids, positions, own: (T,). `own[t]` is where the text begins that token t may see beside its head: its own
    document, or the head itself. last: (n,) the token that decides for each document. prompts: (n,) whose score
    that is, as indices into the prompts of the whole batch.
    """

    ids: Ints
    positions: Ints
    own: Ints
    last: Ints
    prompts: NDArray[np.int64]
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class _Share:
    """Prompts that go into one part; `places` (n,) are their indices in the batch."""

    prompts: Prompts
    places: NDArray[np.int64]


def plan(batch: Sequence[Prompts], budget: int) -> list[Part]:
    """Parts that together hold every prompt once.

    Args:
        batch: prompts of several requests, none empty.
        budget: most tokens of a part. A prompt that is longer gets a part of its own.

    Raises:
        ValueError: a prompt is empty.
    """
    return list(iterate(batch, budget))


def iterate(batch: Sequence[Prompts], budget: int) -> Iterator[Part]:
    """The parts of `plan` one by one, so that a device can compute the first while the next is laid out."""
    if any(len(prompts) and not prompts.lengths.all() for prompts in batch):
        raise ValueError("an empty prompt has no score")
    waiting: list[_Share] = []
    used = before = 0
    for prompts in batch:
        # Neighbours of one length need no padding where a device wants rectangles.
        order = np.argsort(prompts.lengths, kind="stable")
        ends = np.cumsum(prompts.lengths[order], dtype=np.int64)
        begin = 0
        while begin < len(order):
            already = int(ends[begin - 1]) if begin else 0
            room = budget - used - len(prompts.head)
            stop = int(np.searchsorted(ends, already + room, side="right"))
            if stop <= begin:
                if waiting:
                    yield _lay_out(waiting)
                    waiting, used = [], 0
                    continue
                stop = begin + 1
            some = order[begin:stop]
            waiting.append(_Share(prompts.take(some), some + before))
            used += len(prompts.head) + int(ends[stop - 1]) - already
            begin = stop
        before += len(prompts)
    if waiting:
        yield _lay_out(waiting)


def _lay_out(shares: list[_Share]) -> Part:
    ids, positions, own, last = [], [], [], []
    segments: list[Segment] = []
    start = first = 0
    for share in shares:
        prompts, lengths = share.prompts, share.prompts.lengths
        head, tokens = len(prompts.head), len(prompts.bodies)
        documents = start + head
        begins = np.repeat(prompts.ends[:-1].astype(np.int32), lengths)
        ids += [prompts.head, prompts.bodies]
        positions += [np.arange(head, dtype=np.int32), np.arange(tokens, dtype=np.int32) - begins + np.int32(head)]
        own += [np.full(head, start, dtype=np.int32), begins + np.int32(documents)]
        last.append((prompts.ends[1:] - 1 + documents).astype(np.int32))
        sizes, counts = np.unique(lengths, return_counts=True)
        runs = list(zip(counts.tolist(), sizes.tolist(), strict=True))
        segments.append(Segment(start, documents, documents + tokens, first, len(prompts), runs))
        start, first = documents + tokens, first + len(prompts)
    return Part(
        ids=np.concatenate(ids),
        positions=np.concatenate(positions),
        own=np.concatenate(own),
        last=np.concatenate(last),
        prompts=np.concatenate([share.places for share in shares]),
        segments=segments,
    )


def token_tiles(part: Part, block: int) -> Ints:
    """Cuts heads and documents into tiles of up to `block` tokens, each from its beginning on.

    No tile holds two documents: what a document's tokens are added up with, and in which order, must not depend on
    which others came with it, or its score would.

    Returns:
        (tiles, 6): first row, rows, first prefix token, prefix tokens, first own key, end of own keys. Rows are
        tokens.
    """
    tiles = []
    for segment in part.segments:
        lasts = part.last[segment.first : segment.first + segment.count]
        prefix = segment.documents - segment.start
        if prefix:
            begins, ends = np.asarray([segment.start], np.int32), np.asarray([segment.documents], np.int32)
            tiles.append(_cut(begins, ends, (segment.start, 0), block))
        tiles.append(_cut(part.own[lasts], lasts + np.int32(1), (segment.start, prefix), block))
    return np.concatenate(tiles)


def last_tiles(part: Part) -> Ints:
    """The same for the last layer, where a document's one row stands for its last token."""
    tiles = []
    for segment in part.segments:
        row = np.arange(segment.first, segment.first + segment.count, dtype=np.int32)
        lasts = part.last[row]
        prefix = segment.start, segment.documents - segment.start
        tiles.append(_stack(row, np.ones_like(row), prefix, (part.own[lasts], lasts + np.int32(1))))
    return np.concatenate(tiles)


def _cut(begins: Ints, ends: Ints, prefix: tuple[int, int], block: int) -> Ints:
    """Tiles of texts that go from `begins` to `ends` (n,)."""
    counts = -(-(ends - begins) // np.int32(block))
    before = np.cumsum(counts, dtype=np.int32) - counts
    number = np.arange(int(counts.sum()), dtype=np.int32) - np.repeat(before, counts)
    own = np.repeat(begins, counts)
    row = own + number * np.int32(block)
    stop = np.minimum(row + np.int32(block), np.repeat(ends, counts))
    return _stack(row, stop - row, prefix, (own, stop))


def _stack(row: Ints, rows: Ints, prefix: tuple[int, int], keys: tuple[Ints, Ints]) -> Ints:
    tiles = np.empty((len(row), TILE_FIELDS), dtype=np.int32)
    tiles[:, 0], tiles[:, 1] = row, rows
    tiles[:, 2], tiles[:, 3] = prefix
    tiles[:, 4], tiles[:, 5] = keys
    return tiles
