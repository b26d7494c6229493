"""Lays prompts out for one forward pass: shared prefixes once, all documents behind them, no padding.

The layout is a few integer arrays that are the same for every device. Numpy does the work; there is no object per
document, and no statement per token.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reranker_service.engines.packed.grouping import Group, find_groups

Ints = NDArray[np.int32]
TILE_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """One group's share of a part: the prefix's tokens [start, documents), then its documents' up to `end`.

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

    ids, positions, own: (T,). `own[t]` is where the text begins that token t may see beside its prefix: its own
    document, or the prefix itself. last: (n,) the token that decides for each document. prompts: (n,) whose score
    that is, as indices into the call's prompts.
    """

    ids: Ints
    positions: Ints
    own: Ints
    last: Ints
    prompts: NDArray[np.int64]
    segments: list[Segment]


def plan(prompts: Sequence[list[int]], budget: int) -> list[Part]:
    """Parts that together hold every prompt once.

    Args:
        prompts: token ids, none empty.
        budget: most tokens of a part. A prompt that is longer gets a part of its own.

    Raises:
        ValueError: a prompt is empty.
    """
    return list(iterate(prompts, budget))


def iterate(prompts: Sequence[list[int]], budget: int) -> Iterator[Part]:
    """The parts of `plan` one by one, so that a device can compute the first while the next is laid out."""
    groups = find_groups(prompts)
    lengths = [np.fromiter((len(prompts[i]) for i in g.members), np.int64, len(g.members)) for g in groups]
    target = _part_size(groups, lengths, budget)
    waiting: list[tuple[Group, Ints]] = []
    used = 0
    for group, length in zip(groups, lengths, strict=True):
        # Neighbours of one length need no padding where a device wants rectangles.
        order = np.argsort(length, kind="stable")
        ends = np.cumsum(length[order] - group.prefix_length)
        begin = 0
        while begin < len(order):
            already = int(ends[begin - 1]) if begin else 0
            room = target - used - group.prefix_length
            stop = int(np.searchsorted(ends, already + room, side="right"))
            if stop <= begin:
                if waiting:
                    yield _lay_out(prompts, waiting)
                    waiting, used = [], 0
                    continue
                stop = begin + 1
            waiting.append((group, order[begin:stop].astype(np.int32)))
            used += group.prefix_length + int(ends[stop - 1]) - already
            begin = stop
    if waiting:
        yield _lay_out(prompts, waiting)


def _part_size(groups: list[Group], lengths: list[NDArray[np.int64]], budget: int) -> int:
    """Tokens of a part so that all parts are about equal: a small last one would use the device badly."""
    total = spare = 0
    for group, length in zip(groups, lengths, strict=True):
        total += int(length.sum()) - (len(length) - 1) * group.prefix_length
        # A part may begin with one more copy of a prefix, and end before a document that no longer fits.
        spare = max(spare, int(length.max()))
    parts = -(-total // max(1, budget - spare))
    return min(budget, -(-total // max(1, parts)) + spare)


def _lay_out(prompts: Sequence[list[int]], chosen: list[tuple[Group, Ints]]) -> Part:
    ids, positions, own, last, whose = [], [], [], [], []
    segments: list[Segment] = []
    start = first = 0
    for group, order in chosen:
        members = np.asarray(group.members, dtype=np.int64)[order]
        prefix = group.prefix_length
        chosen_prompts = [prompts[index] for index in members.tolist()]
        lengths = np.fromiter(map(len, chosen_prompts), np.int32, len(chosen_prompts)) - np.int32(prefix)
        ends = np.cumsum(lengths, dtype=np.int32)
        documents, tokens = start + prefix, int(ends[-1])
        begins = ends - lengths
        ids += [
            np.asarray(chosen_prompts[0][:prefix], dtype=np.int32),
            _flat(chosen_prompts, prefix, tokens),
        ]
        offset = np.repeat(begins, lengths)
        positions += [np.arange(prefix, dtype=np.int32), np.arange(tokens, dtype=np.int32) - offset + prefix]
        own += [np.full(prefix, start, dtype=np.int32), offset + documents]
        last.append(ends - 1 + documents)
        whose.append(members)
        sizes, counts = np.unique(lengths, return_counts=True)
        runs = list(zip(counts.tolist(), sizes.tolist(), strict=True))
        segments.append(Segment(start, documents, documents + tokens, first, len(members), runs))
        start, first = documents + tokens, first + len(members)
    return Part(
        ids=np.concatenate(ids),
        positions=np.concatenate(positions).astype(np.int32),
        own=np.concatenate(own).astype(np.int32),
        last=np.concatenate(last).astype(np.int32),
        prompts=np.concatenate(whose),
        segments=segments,
    )


def _flat(prompts: list[list[int]], prefix: int, tokens: int) -> Ints:
    """The ids behind the prefix, one prompt after another. `struct` converts twice as fast as numpy does."""
    flat: list[int] = []
    for prompt in prompts:
        flat += prompt[prefix:]
    try:
        return np.frombuffer(struct.pack(f"{tokens}i", *flat), dtype=np.int32)
    except struct.error as error:
        raise ValueError(f"token ids are integers of 32 bits: {error}") from error


def token_tiles(part: Part, block: int) -> Ints:
    """Cuts the tokens into tiles of up to `block` neighbours that see the same prefix.

    Returns:
        (tiles, 6): first row, rows, first prefix token, prefix tokens, first own key, end of own keys. Rows are
        tokens. A tile that holds several documents covers the keys of all of them; `own` tells them apart.
    """
    tiles = []
    for segment in part.segments:
        for begin, end, prefix in (
            (segment.start, segment.documents, 0),
            (segment.documents, segment.end, segment.documents - segment.start),
        ):
            row = np.arange(begin, end, block, dtype=np.int32)
            stop = np.minimum(row + block, end)
            tiles.append(_stack(row, stop - row, (segment.start, prefix), (part.own[row], stop)))
    return np.concatenate(tiles)


def last_tiles(part: Part, block: int) -> Ints:
    """The same for the last layer, whose rows are documents: each stands for its last token."""
    tiles = []
    for segment in part.segments:
        end = segment.first + segment.count
        row = np.arange(segment.first, end, block, dtype=np.int32)
        stop = np.minimum(row + block, end)
        prefix = segment.documents - segment.start
        keys = part.own[part.last[row]], part.last[stop - 1] + 1
        tiles.append(_stack(row, stop - row, (segment.start, prefix), keys))
    return np.concatenate(tiles)


def _stack(row: Ints, rows: Ints, prefix: tuple[int, int], keys: tuple[Ints, Ints]) -> Ints:
    tiles = np.empty((len(row), TILE_FIELDS), dtype=np.int32)
    tiles[:, 0], tiles[:, 1] = row, rows
    tiles[:, 2], tiles[:, 3] = prefix
    tiles[:, 4], tiles[:, 5] = keys
    return tiles
