"""The plots of a report: latency and throughput over the number of documents, every single sample, and what changed.

Each function draws into a figure (or a part of one) that it is given, so that the same plot can stand alone in a page
and beside others in one picture. matplotlib is imported only when something is drawn: no other command pays for it.
"""

from __future__ import annotations

import io
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reranker_bench.comparing import Comparison, Verdict
from reranker_bench.results import Cell, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

Draw = Callable[["FigureBase"], None]

# Told apart by people who see no colours, too: after Okabe and Ito, with a marker and a line style each.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C6D1F")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_VERDICT_COLOURS = {
    Verdict.FASTER: "#009E73",
    Verdict.SLOWER: "#D55E00",
    Verdict.NO_DIFFERENCE: "#777777",
    Verdict.UNKNOWN: "#BBBBBB",
}
_BOX_FROM = 20
"""With so many samples a box says more than dots."""
_CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "SimHei",
)


def labels(runs: Sequence[Results]) -> list[str]:
    """A name for each run: backend and format, with tag or number where that does not tell them apart."""
    names = [f"{run.backend}, {run.instruction_format}" for run in runs]
    if len(set(names)) < len(names):
        names = [f"{name} ({run.tag})" if run.tag else name for name, run in zip(names, runs, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{number}: {name}" for number, name in enumerate(names, 1)]
    return names


def latency(runs: Sequence[Results]) -> Draw:
    """Mean latency over n, with a standard deviation up and down."""

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        for place, (label, run) in enumerate(zip(labels(runs), runs, strict=True)):
            cells = [cell for cell in _by_size(run) if cell.mean_ms is not None]
            axes.errorbar(
                [cell.documents for cell in cells],
                [cell.mean_ms or 0.0 for cell in cells],
                yerr=[cell.stdev_ms or 0.0 for cell in cells],
                label=label,
                capsize=3,
                **_style(place),
            )
        axes.set_title("Mean latency (bars: one standard deviation)", loc="left")
        axes.set_ylabel("ms")
        _documents_axis(axes, runs)
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize="small")

    return draw


def throughput(runs: Sequence[Results]) -> Draw:
    """Documents a second over n."""

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        for place, (label, run) in enumerate(zip(labels(runs), runs, strict=True)):
            points = [(cell.documents, rate) for cell in _by_size(run) if (rate := documents_per_s(run, cell))]
            axes.plot([n for n, _ in points], [rate for _, rate in points], label=label, **_style(place))
        axes.set_title("Throughput", loc="left")
        axes.set_ylabel("documents/s")
        _documents_axis(axes, runs)
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize="small")

    return draw


def documents_per_s(run: Results, cell: Cell) -> float | None:
    """While one request is under way at a time: by its latency alone, without what the client does between two."""
    if run.parameters.concurrency == 1 and run.parameters.rate is None:
        return cell.documents / cell.mean_ms * 1000 if cell.mean_ms else None
    return cell.documents_per_s


def distributions(runs: Sequence[Results]) -> Draw:
    """Every sample: a plot a size, a row a run; the line is the mean, a cross below the axis a lost sample."""

    def draw(figure: FigureBase) -> None:
        sizes = sorted({cell.documents for run in runs for cell in run.cells})
        columns = min(3, len(sizes))
        rows = -(-len(sizes) // columns)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for place in range(rows * columns):
            axes = grid[place // columns][place % columns]
            if place >= len(sizes):
                axes.set_visible(False)
                continue
            _samples(axes, runs, sizes[place])
        figure.suptitle("Every sample (line: mean; x: lost)", x=0.01, ha="left")

    return draw


def changes(comparison: Comparison) -> Draw:
    """New / old for each cell, with its interval: left of the line is faster."""

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        rows = [(pair.name, cell) for pair in comparison.pairs for cell in pair.cells]
        for place, (_, cell) in enumerate(rows):
            colour = _VERDICT_COLOURS[cell.verdict]
            low, high = cell.ratio.low, cell.ratio.high
            if low is not None and high is not None:
                axes.plot([low, high], [place, place], color=colour, linewidth=2.5, solid_capstyle="butt")
            axes.plot([cell.ratio.value], [place], "o", color=colour)
            right = max(cell.ratio.value, high or 0.0)
            text = f"{cell.percent:+.1f} %, {cell.verdict.value}"
            axes.annotate(
                text, (right, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize="small"
            )
        axes.axvline(1.0, color="#333333", linewidth=1)
        axes.set_yticks(range(len(rows)), [f"{name}, n={cell.documents}" for name, cell in rows], fontsize="small")
        axes.invert_yaxis()
        axes.margins(x=0.35)
        axes.set_xlabel("new / old (below 1: faster)")
        axes.set_title(f"Change, with {comparison.confidence:.0%} intervals", loc="left")
        _bare(axes)

    return draw


def svg(draw: Draw, name: str, *, width: float = 7.5, height: float = 4.2) -> str:
    """The plot as an `<svg>` element to stand in a page; `name` keeps its ids apart from those of others there."""
    picture = io.StringIO()
    figure = _figure(width, height)
    draw(figure)
    # Text stays text: it can be found and copied, and the reader's fonts have the Chinese that ours may lack.
    _save(figure, picture, "svg", {"svg.fonttype": "none", "svg.hashsalt": name}, metadata={"Date": None})
    text = picture.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    return text.replace("<g id=", "<g data-id=")  # nothing refers to groups, and each plot calls them alike


def png(draws: Sequence[tuple[Draw, float]], path: Path, *, width: float = 8.0) -> None:
    """All the plots below one another in one picture; each comes with its height in inches."""
    heights = [height for _, height in draws]
    figure = _figure(width, sum(heights))
    parts = figure.subfigures(len(draws), 1, height_ratios=heights, squeeze=False)
    for (draw, _), part in zip(draws, parts[:, 0], strict=True):
        draw(part)
    _save(figure, path, "png", {}, dpi=150)


def _figure(width: float, height: float) -> Figure:
    # A read-only root or a home without a place for caches must not keep a Job from drawing.
    own = Path(tempfile.gettempdir()) / f"reranker-bench-matplotlib-{os.getuid()}"
    os.environ.setdefault("MPLCONFIGDIR", str(own))
    from matplotlib.figure import Figure as New  # noqa: PLC0415 - so that only drawing pays for the import

    return New(figsize=(width, height), layout="constrained")


def _save(figure: Figure, to: Any, kind: str, settings: dict[str, Any], **more: Any) -> None:
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib import font_manager  # noqa: PLC0415

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # a weight that a font lacks is no news
    there = {font.name for font in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in _CHINESE_FONTS if name in there)]
    if kind == "svg":
        fonts.append("sans-serif")
    wanted: Any = settings | {"font.family": fonts}
    with mpl.rc_context(wanted), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")  # a box stands for it in the picture
        for text in figure.findobj(lambda artist: hasattr(artist, "set_fontfamily")):
            text.set_fontfamily(fonts)  # type: ignore[attr-defined]
        figure.savefig(to, format=kind, facecolor="white", **more)


def _samples(axes: Axes, runs: Sequence[Results], size: int) -> None:
    for place, run in enumerate(runs):
        cell = next((cell for cell in run.cells if cell.documents == size), None)
        if cell is None:
            continue
        colour = _COLOURS[place % len(_COLOURS)]
        values = list(cell.values_ms)
        if len(values) >= _BOX_FROM:
            box = axes.boxplot(values, positions=[place], orientation="horizontal", widths=0.6, showfliers=True)
            for part in (*box["boxes"], *box["medians"], *box["whiskers"], *box["caps"]):
                part.set_color(colour)
        else:
            axes.plot(values, [place] * len(values), _MARKERS[place % len(_MARKERS)], color=colour, alpha=0.6)
        if cell.mean_ms is not None:
            axes.plot([cell.mean_ms] * 2, [place - 0.35, place + 0.35], color=colour, linewidth=1.5)
        if cell.lost:
            axes.annotate(
                "x" * len(cell.lost), (0.98, place), xycoords=("axes fraction", "data"), ha="right", va="center"
            )
    axes.set_title(f"n={size}", loc="left", fontsize="medium")
    axes.set_yticks(range(len(runs)), labels(runs), fontsize="small")
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.set_xlabel("ms", fontsize="small")
    axes.tick_params(axis="x", labelsize="small")
    axes.locator_params(axis="x", nbins=5)
    _bare(axes)


def _documents_axis(axes: Axes, runs: Sequence[Results]) -> None:
    sizes = sorted({cell.documents for run in runs for cell in run.cells})
    axes.set_xlabel("documents a request (n)")
    if len(sizes) <= 12:
        axes.set_xticks(sizes)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _style(place: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": "-" if place % 2 == 0 else "--",
    }


def _by_size(run: Results) -> list[Cell]:
    return sorted(run.cells, key=lambda cell: cell.documents)
