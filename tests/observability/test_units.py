"""Numbers in the pictures."""

from __future__ import annotations

import pytest

from hack.observability.units import written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (2.5, "s", "2.5 s"),
        (0.00042, "s", "420 µs"),
        (0, "s", "0 s"),
        (600, "s", "10.0 min"),
        (431.25, "ms", "431.2 ms"),
        (3890, "ms", "3,890 ms"),
        (0.055, "percentunit", "5.5 %"),
        (7.934, "reqps", "7.93/s"),
        (43_120, "short", "43.1k"),
        (2_000_000, "short", "2M"),
        (float("nan"), "s", "–"),
    ],
)
def test_a_number_is_written_with_its_unit(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text
