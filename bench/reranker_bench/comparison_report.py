"""Tables of a comparison.

The means with their change below them, as the method's report adds a new row to an old one; then every cell with its
interval and verdict.
"""

from __future__ import annotations

from reranker_bench.comparing import CellChange, Comparison, Pair
from reranker_bench.report import markdown_table
from reranker_bench.results import Results

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
    lines += list(comparison.unmatched)
    for pair in comparison.pairs:
        for side, run in (("old", pair.old), ("new", pair.new)):
            if run.lost:
                lines.append(f"{pair.name}: the {side} run lost {run.lost} samples")
    return [*lines, "intervals by Welch's method on the logarithm of the means; `no difference`: none that is shown"]


def _names(run: Results) -> tuple[str, str]:
    return run.backend, run.instruction_format


def _run(side: str, run: Results) -> str:
    return f"{side} ({run.tag})" if run.tag else side
