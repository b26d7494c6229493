"""Finds what prompts have in common, so that the engine computes it once.

An engine gets token ids and knows nothing of requests. That is enough: the head of a request (instruction and query)
is the longest common prefix of its prompts, and several requests merged into one batch show as a tree of prefixes.
Everything here works on whole lists with built-in functions, since a Python statement per document and token would
cost more than the GPU's work on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

# A bucket with fewer prompts can't save enough tokens to be worth looking at.
SMALLEST_SPLIT = 8
# What an own group must save beyond its copy of the prefix: it also opens attention tiles of its own.
SPLIT_MARGIN = 16


@dataclass(frozen=True, slots=True)
class Group:
    """Prompts (`members`, indices into the batch) that share their first `prefix_length` ids.

    Every member has at least one id beyond the prefix.
    """

    prefix_length: int
    members: list[int]


def find_groups(prompts: Sequence[list[int]]) -> list[Group]:
    """Groups with as few ids in all as a greedy walk down the tree of prefixes finds; each prompt is in exactly one.

    Raises:
        ValueError: a prompt is empty.
    """
    if not all(prompts):
        raise ValueError("an empty prompt has no score")
    if not prompts:
        return []
    groups: list[Group] = []
    everything = list(range(len(prompts)))
    pending = [(_shared(prompts, everything), everything)]
    while pending:
        prefix_length, members = pending.pop()
        taken, rest = _split(prompts, prefix_length, members)
        pending += taken
        if rest:
            # Without those that left, what the others share may be longer.
            groups.append(Group(_shared(prompts, rest) if taken else prefix_length, rest))
    return groups


def _split(
    prompts: Sequence[list[int]], prefix_length: int, members: list[int]
) -> tuple[list[tuple[int, list[int]]], list[int]]:
    """Subsets that save ids as groups of their own, with what they share, and the members that stay."""
    taken: list[tuple[int, list[int]]] = []
    gone: set[int] = set()
    look_at = [(prefix_length, members)]
    while look_at:
        depth, candidates = look_at.pop()
        for bucket in _buckets(prompts, depth, candidates):
            length = _shared(prompts, bucket)
            saved = len(bucket) * (length - prefix_length) - length
            if saved > SPLIT_MARGIN:
                taken.append((length, bucket))
                gone.update(bucket)
            elif length > depth:
                look_at.append((length, bucket))
    return taken, [index for index in members if index not in gone] if gone else members


def _buckets(prompts: Sequence[list[int]], depth: int, members: list[int]) -> list[list[int]]:
    """The members by their id at `depth`, leaving out small buckets and a bucket that holds everything."""
    if len(members) < SMALLEST_SPLIT:
        return []
    by_id: dict[int, list[int]] = {}
    for index in members:
        prompt = prompts[index]
        if len(prompt) > depth:
            by_id.setdefault(prompt[depth], []).append(index)
    return [bucket for bucket in by_id.values() if SMALLEST_SPLIT <= len(bucket) < len(members)]


def _shared(prompts: Sequence[list[int]], members: list[int]) -> int:
    """Length of the members' longest common prefix that leaves each of them one id; 0 for a single member."""
    if len(members) == 1:
        return 0
    # Lists order by their first difference, so the smallest and the largest differ no later than any other two.
    chosen = itemgetter(*members)(prompts)
    first, last = min(chosen), max(chosen)
    limit = min(map(len, chosen)) - 1
    if first[:limit] == last[:limit]:
        return limit
    return next(place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
