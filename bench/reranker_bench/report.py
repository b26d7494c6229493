"""Tables of results: backend x instruction format x number of documents, as the method's report has it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reranker_bench.pace import Pace
from reranker_bench.results import Cell, Results

DETAIL_COLUMNS = ("n", "samples", "lost", "mean ms", "stdev", "p50", "p95", "p99", "min", "max", "requests/s")
TEXT_COLUMNS = {
    "dialect",
    "path",
    "answer",
    "target",
    "figure",
    "tag",
    "run",
    "verdict",
    "backend",
    "instruction_format",
    "status",
    "error",
    "",
}
LATE_MS = 5.0
"""From this delay on the table says that the open loop's requests did not start when they were due."""


def sizes_of(runs: Sequence[Results]) -> list[int]:
    """All numbers of documents that any of the runs has, ascending: the columns of the matrix."""
    return sorted({cell.documents for run in runs for cell in run.cells})


def matrix(runs: Sequence[Results]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of mean times in ms, one row a run.

    A cell that no sample is left of is `lost`, one that was not measured `-`; one that lost some samples has a `*`.
    """
    sizes = sizes_of(runs)
    header = ["backend", "instruction_format", *(f"n={size}" for size in sizes), "lost"]
    tagged = any(run.tag for run in runs) and len(runs) > 1
    rows = []
    for run in runs:
        cells = {cell.documents: cell for cell in run.cells}
        row = [run.backend, run.instruction_format, *(_mean(cells.get(size)) for size in sizes), str(run.lost)]
        rows.append([run.tag, *row] if tagged else row)
    return (["tag", *header] if tagged else header), rows


def details(run: Results) -> list[list[str]]:
    """The rows of one run's detail table (DETAIL_COLUMNS), one a number of documents."""
    return [
        [
            str(cell.documents),
            str(len(cell.values_ms)),
            str(len(cell.lost)),
            *(_ms(value) for value in (cell.mean_ms, cell.stdev_ms, cell.p50_ms, cell.p95_ms, cell.p99_ms)),
            _ms(min(cell.values_ms, default=None)),
            _ms(max(cell.values_ms, default=None)),
            "-" if cell.requests_per_s is None else f"{cell.requests_per_s:.2f}",
        ]
        for cell in run.cells
    ]


def notes(run: Results) -> list[str]:
    """What a reader must know beside the figures: losses with their reasons, reused titles, cut documents."""
    lines = [
        f"lost: {where} request {loss.repeat}: {loss.reason.value}: {loss.detail}"
        for where, losses in [("warm-up", run.warmup.lost), *((f"n={cell.documents}", cell.lost) for cell in run.cells)]
        for loss in losses
    ]
    if run.interrupted:
        lines.append("interrupted: not all samples were taken")
    if pace := _pace(run):
        lines.append(pace)
    if caches := run.counters.describe():
        lines.append(caches)
    late = max((cell.start_delay_max_ms or 0 for cell in run.cells), default=0)
    if late >= LATE_MS:
        lines.append(
            f"requests were sent up to {late:.0f} ms after they were due: the connections, or this machine, were busy"
        )
    if run.titles.reused:
        lines.append(f"{run.titles.reused} titles may have come twice (the file has {run.titles.count}): caches help")
    if cut := sum(cell.truncated for cell in run.cells):
        lines.append(f"{cut} documents were cut to the server's max_model_len")
    return lines


def markdown(runs: Sequence[Results]) -> str:
    """The matrix and each run's details in Markdown, columns aligned so that it also reads as plain text."""
    header, rows = matrix(runs)
    parts = ["Mean latency (ms)", "", *markdown_table(header, rows)]
    for run in runs:
        parts += ["", heading(run), "", *markdown_table(list(DETAIL_COLUMNS), details(run))]
        if lines := notes(run):
            parts += ["", *(f"* {line}" for line in lines)]
    return "\n".join(parts) + "\n"


def terminal(runs: Sequence[Results]) -> RenderableType:
    """The same for a terminal."""
    header, rows = matrix(runs)
    parts: list[RenderableType] = [_rich_table("Mean latency (ms)", header, rows)]
    for run in runs:
        parts.append(_rich_table(heading(run), list(DETAIL_COLUMNS), details(run)))
        parts += [Text(f"* {line}") for line in notes(run)]
    return Group(*parts)


def heading(run: Results) -> str:
    """One line that says what was measured."""
    given = run.parameters
    tag = f"{run.tag}: " if run.tag else ""
    often = f"repeat {given.repeat}" if given.duration_s is None else f"{given.duration_s:g} s a size"
    return (
        f"{tag}{run.backend}, {run.instruction_format}, {often}, seed {given.seed}, "
        f"{run.warmup.requests} warm-ups of {run.warmup.documents}, {run.started_at:%Y-%m-%d %H:%M:%S} UTC"
    )


def _pace(run: Results) -> str:
    given = run.parameters
    text = Pace(given.concurrency, given.rate, given.arrivals or "even", given.duration_s).describe()
    dialect = "" if given.dialect == "rerank" else f"dialect {given.dialect}"
    return ", ".join(part for part in (text, dialect) if part)


def _mean(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if cell.mean_ms is None:
        return "lost"
    return f"{cell.mean_ms:.1f}" + ("*" if cell.lost else "")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def markdown_table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Its lines, columns aligned so that it also reads as plain text; those of TEXT_COLUMNS to the left."""
    texts = [[cell.replace("|", r"\|") for cell in row] for row in [header, *rows]]
    widths = [max(3, *(_width(row[column]) for row in texts)) for column in range(len(header))]
    left = [column for column, name in enumerate(header) if name in TEXT_COLUMNS]

    def line(row: list[str]) -> str:
        padded = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - _width(cell))
            padded.append(cell + space if column in left else space + cell)
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if column in left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return [line(texts[0]), line(rule), *(line(row) for row in texts[1:])]


def _width(text: str) -> int:
    """Columns on a terminal: a tag may be Chinese, whose characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _rich_table(title: str, header: list[str], rows: list[list[str]]) -> Table:
    # Text, not plain strings: those are markup, and a tag or a server's error text may well hold square brackets.
    table = Table(title=Text(title), title_justify="left")
    for name in header:
        table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
