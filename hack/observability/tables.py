"""Draws a table panel: the queries' series merged by labels, or spread into a matrix, as its transformations say."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from hack.observability.ask import Row
from hack.observability.units import written

TEXT, DIM, LINE = "#d8d9da", "#8e8e93", "#2c2f36"
COLORS = {"green": "#73bf69", "red": "#f2495c", "blue": "#5794f2", "text": TEXT}
"""Grafana's names of colours."""
TOP_PX, ROW_PX = 40, 24


def draw(axes: Axes, panel: Mapping[str, Any], found: Sequence[Row], pixels: tuple[float, float]) -> None:
    """Write the table into the panel's frame, which is so many pixels wide and high."""
    transformation = {each["id"]: each["options"] for each in panel["transformations"]}
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    if "groupingToMatrix" in transformation:
        header, body = _matrix(transformation["groupingToMatrix"], found, unit)
    else:
        header, body = _merged(transformation["organize"], found, unit)
    words = {
        override["matcher"]["options"]: mapped(setting["value"])
        for override in panel["fieldConfig"]["overrides"]
        for setting in override["properties"]
        if setting["id"] == "mappings"
    }
    width, height = pixels
    for column, name in enumerate(header):
        _cell(axes, column / len(header), 1 - TOP_PX / height, name, DIM)
    if not body:
        axes.text(
            0.5, 0.4, panel["fieldConfig"]["defaults"]["noValue"], transform=axes.transAxes, ha="center", color=DIM
        )
    for number, row in enumerate(body[: int((height - TOP_PX) / ROW_PX) - 1], start=1):
        level = 1 - (TOP_PX + number * ROW_PX) / height
        axes.axhline(level + ROW_PX / 2 / height, color=LINE, linewidth=0.6, xmin=8 / width, xmax=1 - 8 / width)
        for column, text in enumerate(row):
            shown, color = words.get(header[column], {}).get(text, (text, "text"))
            _cell(axes, column / len(header), level, shown, COLORS[color])
    axes.set_ylim(0, 1)


def _cell(axes: Axes, across: float, level: float, text: str, color: str) -> None:
    axes.text(0.012 + across, level, text, transform=axes.transAxes, va="center", fontsize=8.5, color=color)


def _matrix(options: Mapping[str, Any], found: Sequence[Row], unit: str) -> tuple[list[str], list[list[str]]]:
    across = sorted({row.labels.get(options["columnField"], "") for row in found})
    down = sorted({row.labels.get(options["rowField"], "") for row in found}, key=_first_number)
    values = {
        (row.labels.get(options["rowField"], ""), row.labels.get(options["columnField"], "")): row.value
        for row in found
    }
    body = [
        [name, *(written(values[name, other], unit) if (name, other) in values else "" for other in across)]
        for name in down
    ]
    return [options["rowField"], *across], body


def _merged(options: Mapping[str, Any], found: Sequence[Row], unit: str) -> tuple[list[str], list[list[str]]]:
    order = sorted(options["indexByName"], key=options["indexByName"].__getitem__)
    columns = [name for name in order if name.startswith("Value") and name not in options["excludeByName"]]
    keys = [name for name in order if not name.startswith("Value") and any(name in row.labels for row in found)]
    merged: dict[tuple[str, ...], dict[str, str]] = {}
    for row in found:
        key = tuple(row.labels.get(name, "") for name in keys)
        column = row.column if row.column in columns else "Value"
        merged.setdefault(key, {})[column] = written(row.value, unit)
    header = [*keys, *(options["renameByName"].get(name, name) for name in columns)]
    return header, [[*key, *(cells.get(name, "") for name in columns)] for key, cells in sorted(merged.items())]


def mapped(mappings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """What a panel shows in place of a number: the word, and its colour's name."""
    return {
        number: (word["text"], word["color"]) for mapping in mappings for number, word in mapping["options"].items()
    }


def _first_number(name: str) -> tuple[int, str]:
    head = name.partition("-")[0].rstrip("+")
    return (int(head) if head.isdigit() else 0, name)
