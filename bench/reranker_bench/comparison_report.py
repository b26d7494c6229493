"""Tables of a comparison.

The means with their change below them, as the method's report adds a new row to an old one; then every cell with its
interval and verdict.
"""

from __future__ import annotations

from reranker_bench.comparing import CellChange, Comparison, Pair
from reranker_bench.report import markdown_table
from reranker_bench.results import Results

CACHED_APART = 0.05
"""From this difference on between the shares of the prefix cache a reader must know of it."""
CELL_COLUMNS = ("backend", "instruction_format", "n", "old ms", "new ms", "ratio", "change", "interval", "verdict")


def markdown(comparison: Comparison) -> str:
    """The whole comparison in Markdown."""
    header, rows = overview(comparison)
    parts = ["Mean latency (ms), old against new", "", *markdown_table(header, rows)]
    parts += ["", f"Each cell, with the {comparison.confidence:.0%} interval of its ratio", ""]
    parts += markdown_table(list(CELL_COLUMNS), [row for pair in comparison.pairs for row in cell_rows(pair)])
    if lines := notes(comparison):
        parts += ["", *(f"* {line}" for line in lines)]
    return "\n".join(parts) + "\n"


def overview(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the first table: old, new, and the change in per cent, for each scenario."""
    sizes = sorted({cell.documents for pair in comparison.pairs for cell in pair.cells})
    header = ["backend", "instruction_format", "run", *(f"n={size}" for size in sizes)]
    rows = []
    for pair in comparison.pairs:
        cells = {cell.documents: cell for cell in pair.cells}
        changes = [cells.get(size) for size in sizes]
        rows.append([*_names(pair.old), _run("old", pair.old), *(f"{c.old_ms:.1f}" if c else "-" for c in changes)])
        rows.append([*_names(pair.new), _run("new", pair.new), *(f"{c.new_ms:.1f}" if c else "-" for c in changes)])
        rows.append(["", "", "change", *(f"{c.percent:+.1f} %" if c else "-" for c in changes)])
    return header, rows


def cell_rows(pair: Pair) -> list[list[str]]:
    """The rows of one scenario in the second table (CELL_COLUMNS)."""
    return [
        [
            *_names(pair.new),
            str(cell.documents),
            f"{cell.old_ms:.1f}",
            f"{cell.new_ms:.1f}",
            f"{cell.ratio.value:.3f}",
            f"{cell.percent:+.1f} %",
            interval(cell),
            cell.verdict.value,
        ]
        for cell in pair.cells
    ]


def interval(cell: CellChange) -> str:
    """The ratio's confidence interval."""
    if cell.ratio.low is None or cell.ratio.high is None:
        return "-"
    return f"{cell.ratio.low:.3f} to {cell.ratio.high:.3f}"


def notes(comparison: Comparison) -> list[str]:
    """What a reader must know beside the figures."""
    lines = [f"NOT MEASURED ALIKE: {difference}" for difference in comparison.differences]
    lines += [*comparison.unmatched, *caches(comparison)]
    for pair in comparison.pairs:
        for side, run in (("old", pair.old), ("new", pair.new)):
            if run.lost:
                lines.append(f"{pair.name}: the {side} run lost {run.lost} samples")
    return [*lines, "intervals by Welch's method on the logarithm of the means; `no difference`: none that is shown"]


def caches(comparison: Comparison) -> list[str]:
    """A line for each scenario of which one run got far more out of the server's prefix cache than the other."""
    return [line for pair in comparison.pairs for line in _caches(pair)]


def _caches(pair: Pair) -> list[str]:
    old, new = pair.old.counters.cached_share, pair.new.counters.cached_share
    alike = (pair.old.backend, pair.old.instruction_format) == (pair.new.backend, pair.new.instruction_format)
    if old is None or new is None or not alike or abs(new - old) < CACHED_APART:
        return []
    told = f"{pair.name}: {old:.1%} of the old run's tokens came from the prefix cache, {new:.1%} of the new one's"
    return [f"{told}: of two runs with one seed on one server the second measures the cache"]


def _names(run: Results) -> tuple[str, str]:
    return run.backend, run.instruction_format


def _run(side: str, run: Results) -> str:
    return f"{side} ({run.tag})" if run.tag else side
