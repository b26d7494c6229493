"""Two ways to measure one server, in turns: a machine is not the same from one minute to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reranker_bench.stats import mean, percentile, ratio_of_means


def in_turns(ways: tuple[str, str], rounds: int) -> Iterator[tuple[str, int]]:
    """Which way is next, and the number of the run. Whoever comes first in a round comes second in the next one."""
    for turn in range(rounds):
        for place, way in enumerate(ways if turn % 2 == 0 else reversed(ways)):
            yield way, 2 * turn + place


def percent_apart(first: Sequence[float], second: Sequence[float]) -> float:
    """By how many per cent the mean of the first is above that of the second."""
    return 100 * (mean(first) / mean(second) - 1)


def comparison(names: tuple[str, str], first: Sequence[float], second: Sequence[float]) -> str:
    """A line with means, medians, and how far they are apart."""
    ratio = ratio_of_means(second, first, 0.95)
    ends = " to ".join(f"{100 * (end - 1):+.1f}" if end else "?" for end in (ratio.low, ratio.high))
    middle, other = percentile(first, 50), percentile(second, 50)
    return (
        f"{names[0]} {mean(first):.1f} ms, {names[1]} {mean(second):.1f} ms ({len(first)} and {len(second)} samples): "
        f"{percent_apart(first, second):+.1f} % (95 %: {ends}); medians {middle:.1f} and {other:.1f} ms: "
        f"{100 * (middle / other - 1):+.1f} %"
    )
