"""Draws a dashboard with matplotlib, its panels where Grafana would put them, for where there is no Grafana."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hack.observability import ask, tables
from hack.observability.ask import Line, Span
from hack.observability.server import Client
from hack.observability.units import written

BACKGROUND, PANEL, TEXT, DIM, GRID = "#111217", "#181b1f", "#d8d9da", "#8e8e93", "#2c2f36"
COLORS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d", "#ffa6b0", "#c0d8ff")
STATES = tables.COLORS | {"text": "#55585f"}
WIDTH_PX, UNIT_PX, DPI = 1600, 38, 100
TITLE_UNITS = 1.5
LEGEND_CHARACTER_PX = 6


@dataclass(frozen=True)
class Canvas:
    """What all panels of one picture share. `height` is the picture's, in Grafana's grid units."""

    figure: Figure
    client: Client
    span: Span
    rate_window_s: float
    height: float

    def rows(self, panel: Mapping[str, Any]) -> list[ask.Row]:
        """The panel's values at the end."""
        return ask.rows(self.client, panel, self.span, self.rate_window_s)

    def lines(self, panel: Mapping[str, Any]) -> list[Line]:
        """The panel's values over time."""
        return ask.lines(self.client, panel, self.span, self.rate_window_s)


def draw(client: Client, board: Mapping[str, Any], span: Span, target: Path, *, rate_window_s: float) -> None:
    """Write the dashboard's picture."""
    panels = board["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + TITLE_UNITS
    figure = Figure(figsize=(WIDTH_PX / DPI, height * UNIT_PX / DPI), dpi=DPI, facecolor=BACKGROUND)
    canvas = Canvas(figure, client, span, rate_window_s, height)
    with mpl.rc_context({"font.size": 8, "text.color": TEXT, "axes.labelcolor": TEXT}):
        middle = 1 - TITLE_UNITS / 2 / height
        figure.text(0.008, middle, board["title"], fontsize=15, weight="bold", va="center")
        figure.text(0.16, middle, board["description"], fontsize=10, color=DIM, va="center")
        for panel in panels:
            top = 1 - (TITLE_UNITS + panel["gridPos"]["y"]) / height
            if panel["type"] == "row":
                figure.text(0.008, top - 0.5 / height, panel["title"], fontsize=11, weight="bold", va="center")
            else:
                _panel(canvas, panel, top)
        figure.savefig(target, facecolor=BACKGROUND)


def _panel(canvas: Canvas, panel: Mapping[str, Any], top: float) -> None:
    place, height = panel["gridPos"], canvas.height
    left, width = place["x"] / 24, place["w"] / 24
    bottom, tall = top - place["h"] / height, place["h"] / height
    gap_x, gap_y = 0.0025, 0.12 / height
    frame = canvas.figure.add_axes((left + gap_x, bottom + gap_y, width - 2 * gap_x, tall - 2 * gap_y), facecolor=PANEL)
    frame.set_xticks([])
    frame.set_yticks([])
    for spine in frame.spines.values():
        spine.set_color(GRID)
    pixels = (WIDTH_PX * width, UNIT_PX * place["h"])
    _text(frame, 8 / pixels[0], 1 - 14 / pixels[1], panel["title"], fontsize=9, weight="bold")
    kind = panel["type"]
    if kind == "stat":
        _number(frame, panel, canvas.rows(panel))
        return
    if kind == "table":
        tables.draw(frame, panel, canvas.rows(panel), pixels)
        return
    unit_y = 1 / UNIT_PX / height
    inside = (left + 56 / WIDTH_PX, bottom + 78 * unit_y, width - 70 / WIDTH_PX, tall - 112 * unit_y)
    inner = canvas.figure.add_axes(inside, facecolor=PANEL)
    drawers: dict[str, Callable[[Axes, Mapping[str, Any], Sequence[Line], Span], None]] = {
        "timeseries": _lines,
        "heatmap": _heat,
        "state-timeline": _states,
    }
    found = [line for line in canvas.lines(panel) if line.values]
    if not found:
        _text(inner, 0.5, 0.5, panel["fieldConfig"]["defaults"]["noValue"], ha="center", color=DIM)
    drawers[kind](inner, panel, found, canvas.span)
    _style(inner, canvas.span)


def _text(axes: Axes, across: float, up: float, text: str, **how: Any) -> None:
    axes.text(across, up, text, transform=axes.transAxes, va="center", **how)


def _style(axes: Axes, span: Span) -> None:
    axes.set_xlim(span.start, span.end)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 1.5, 3, 6, 10], prune="upper"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: time.strftime("%H:%M:%S", time.gmtime(at))))
    axes.tick_params(colors=DIM, length=0, labelsize=7.5)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _number(axes: Axes, panel: Mapping[str, Any], found: Sequence[ask.Row]) -> None:
    value = found[0].value if found else float("nan")
    color = TEXT
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            color = tables.COLORS[step["color"]]
    text = written(value, panel["fieldConfig"]["defaults"]["unit"])
    _text(axes, 0.5, 0.42, text, ha="center", fontsize=24, color=color, weight="bold")


def _lines(axes: Axes, panel: Mapping[str, Any], found: Sequence[Line], span: Span) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    stacked = panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal"
    ordered = sorted((line for line in found if not _stands_in(line)), key=lambda line: _natural(line.name))
    if stacked and ordered:
        _stack(axes, ordered, span)
    else:
        for color, line in zip(COLORS * 4, ordered, strict=False):
            axes.plot(line.times, line.values, color=color, linewidth=1.4, label=line.name)
            axes.fill_between(line.times, line.values, color=color, alpha=0.07)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit)))
    labels = [f"{line.name}: {written(line.values[-1], unit)}" for line in ordered]
    _legend(axes, labels)


def _stack(axes: Axes, ordered: Sequence[Line], span: Span) -> None:
    grid = np.arange(span.start, span.end, span.step)
    values = [np.interp(grid, line.times, line.values, left=0) for line in ordered]
    axes.stackplot(
        grid,
        values,
        colors=(COLORS * 4)[: len(values)],
        alpha=0.75,
        labels=[line.name for line in ordered],
    )


def _legend(axes: Axes, labels: Sequence[str]) -> None:
    """Below the panel, in as many columns as there is room for."""
    handles, _ = axes.get_legend_handles_labels()
    if not handles:
        return
    room = axes.get_position().width * WIDTH_PX
    columns = max(1, min(len(labels), int(room / (LEGEND_CHARACTER_PX * max(map(len, labels)) + 30))))
    axes.legend(
        handles[: 3 * columns],
        labels[: 3 * columns],
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.13),
        ncols=columns,
        fontsize=7.5,
        frameon=False,
        labelcolor=TEXT,
        handlelength=1.2,
        columnspacing=1.2,
        borderaxespad=0,
    )


def _heat(axes: Axes, panel: Mapping[str, Any], found: Sequence[Line], span: Span) -> None:
    unit = panel["options"].get("yAxis", {}).get("unit", "short")
    buckets = sorted(((float(line.name), line) for line in found), key=lambda pair: pair[0])
    if not buckets:
        return
    grid = np.arange(span.start, span.end, span.step)
    counts = np.array([np.interp(grid, line.times, line.values, left=0) for _, line in buckets])
    each = np.diff(counts, axis=0, prepend=np.zeros((1, grid.size)))
    used = np.flatnonzero(each.sum(axis=1) > 0)
    if not used.size:
        return
    low, high = max(0, used[0] - 1), used[-1] + 1
    axes.pcolormesh(
        grid,
        np.arange(low, high + 1),
        np.where(each[low:high, :-1] > 0, each[low:high, :-1], np.nan),
        cmap="Blues_r",
        shading="flat",
    )
    axes.set_yticks(
        np.arange(low, high) + 0.5, ["+Inf" if np.isinf(le) else written(le, unit) for le, _ in buckets[low:high]]
    )


def _states(axes: Axes, panel: Mapping[str, Any], found: Sequence[Line], span: Span) -> None:
    words = tables.mapped(panel["fieldConfig"]["defaults"]["mappings"])
    ordered = sorted(found, key=lambda line: line.name, reverse=True)
    for place, line in enumerate(ordered):
        for at, value in zip(line.times, line.values, strict=True):
            color = STATES[words[f"{value:g}"][1]]
            axes.broken_barh([(at, span.step)], (place + 0.15, 0.7), color=color)
    axes.set_ylim(0, max(1, len(ordered)))
    axes.set_yticks([])
    for place, line in enumerate(ordered):
        axes.text(
            0.01,
            (place + 0.5) / max(1, len(ordered)),
            line.name,
            transform=axes.transAxes,
            va="center",
            color="#ffffff",
            weight="bold",
        )


def _stands_in(line: Line) -> bool:
    """Whether the line is the zero of a query that had no series yet."""
    return line.name == "none" and not any(line.values)


def _natural(name: str) -> tuple[int, str]:
    """Ranges of documents by their first number, everything else by name."""
    head = name.partition("-")[0].rstrip("+")
    return (int(head), name) if head.isdigit() else (0, name)
