"""The table of values in the chart's README, between two marks."""

import json
from collections.abc import Iterator, Sequence

from hack.chart.values import Value

BEGIN = "<!-- values: generated from values.yaml -->"
END = "<!-- values: end -->"
LONGEST_DEFAULT = 60


class ReadmeError(Exception):
    """The README has no place for the table."""


def with_table(readme: str, values: Sequence[Value]) -> str:
    """The README's text with a fresh table.

    Raises:
        ReadmeError: one of the two marks is missing.
    """
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ReadmeError(f"the README needs the lines '{BEGIN}' and '{END}'; the table goes between them")
    rows = [row for value in values for row in _rows(value)]
    return "\n".join([head + BEGIN, "| value | default | what it does |", "|---|---|---|", *rows, END + tail])


def _rows(value: Value) -> Iterator[str]:
    """One row a value; a group of values has one that says what they are about."""
    default = "" if value.children else _default(value.default)
    yield f"| `{value.path}` | {default} | {_explanation(value.explanation)} |"
    for child in value.children:
        yield from _rows(child)


def _default(default: object) -> str:
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see [values.yaml](values.yaml)"


def _explanation(lines: Sequence[str]) -> str:
    """One paragraph; a line that is set off in the comment begins a line here too."""
    text = ""
    for line in lines:
        set_off = line.startswith("  ") and not line.startswith("   " * 3)
        text += ("<br>" if set_off and text else " ") + line.strip()
    return text.strip().replace("|", "\\|")
