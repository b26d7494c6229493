"""Numbers as Grafana writes them, for the units that the dashboards use."""

import math

SECONDS = ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (1e-6, "µs", 1e6))
LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def written(value: float, unit: str) -> str:
    """A value in a unit, in at most about six characters."""
    if math.isnan(value):
        return "–"
    match unit:
        case "s":
            return _seconds(value)
        case "ms":
            return f"{value:,.1f} ms" if value < 1000 else f"{value:,.0f} ms"
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "reqps" | "ops":
            return f"{_short(value)}/s"
        case _:
            return _short(value)


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    if value >= 90:
        return f"{value / 60:.1f} min"
    for least, name, factor in SECONDS:
        if value >= least:
            return f"{value * factor:.3g} {name}"
    return f"{value:.1g} s"


def _short(value: float) -> str:
    for least, suffix in LARGE:
        if abs(value) >= least:
            return f"{value / least:.3g}{suffix}"
    return f"{value:.3g}"
