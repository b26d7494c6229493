"""What a panel shows: its queries asked of a Prometheus, with the dashboard's variables filled in as Grafana would."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hack.observability.server import Client


@dataclass(frozen=True)
class Span:
    """The time that is drawn."""

    start: float
    end: float
    points: int = 120

    @property
    def step(self) -> float:
        """Seconds between two points."""
        return max(1.0, (self.end - self.start) / self.points)


@dataclass(frozen=True)
class Line:
    """A series over time; NaN is left out."""

    name: str
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """One series of an instant query."""

    labels: Mapping[str, str]
    value: float
    column: str


def filled_in(expression: str, span: Span, rate_window_s: float) -> str:
    """The expression with every variable at All."""
    whole = f"{max(1, round(span.end - span.start))}s"
    text = expression.replace("$__rate_interval", f"{rate_window_s:g}s").replace("$__range", whole)
    return re.sub(r"\$\w+", ".*", text)


def lines(client: Client, panel: Mapping[str, Any], span: Span, rate_window_s: float) -> list[Line]:
    """The panel's series over time."""
    found = []
    for target in panel["targets"]:
        expression = filled_in(target["expr"], span, rate_window_s)
        for series in client.range(expression, span.start, span.end, span.step):
            pairs = [(float(at), float(value)) for at, value in series["values"]]
            kept = [(at, value) for at, value in pairs if not math.isnan(value)]
            times, values = (tuple(part) for part in zip(*kept, strict=True)) if kept else ((), ())
            found.append(Line(_name(target.get("legendFormat", ""), series["metric"]), times, values))
    return found


def rows(client: Client, panel: Mapping[str, Any], span: Span, rate_window_s: float) -> list[Row]:
    """The panel's series at the end of the time."""
    return [
        Row(series["metric"], float(series["value"][1]), f"Value #{target['refId']}")
        for target in panel["targets"]
        for series in client.instant(filled_in(target["expr"], span, rate_window_s), at=span.end)
    ]


def _name(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match.group(1), ""), legend).strip() or "value"
