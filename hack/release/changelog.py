"""What CHANGELOG.md says about a version."""

from __future__ import annotations

import re
from datetime import date

HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\S+))?\s*$", re.MULTILINE)
GROUPS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
UNRELEASED = "Unreleased"


def entry(changelog: str, name: str) -> tuple[str, str | None] | None:
    """The text below the heading of a version and the date in that heading; None where there is no such heading."""
    headings = list(HEADING.finditer(changelog))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if heading["name"] == name:
            end = following.start() if following else len(changelog)
            return changelog[heading.end() : end].strip(), heading["date"]
    return None


def problems(changelog: str, version: str, *, draft: bool = False) -> list[str]:
    """What stands in the way of releasing `version`, one line each.

    A `draft` is checked before the release is cut: what is unreleased will do in place of the version's own entry.
    """
    name = UNRELEASED if draft and entry(changelog, version) is None else version
    found = entry(changelog, name)
    if found is None:
        return [f"CHANGELOG.md has no heading `## [{name}]{'' if draft else ' - YYYY-MM-DD'}`"]
    text, day = found
    lines = []
    if not re.search(r"^[*-] \S", text, re.MULTILINE):
        lines.append(f"CHANGELOG.md names nothing under [{name}]")
    lines += [
        f"CHANGELOG.md: [{name}] has a group `{group}`, which is not one of {', '.join(GROUPS)}"
        for group in re.findall(r"^### (.+?)\s*$", text, re.MULTILINE)
        if group not in GROUPS
    ]
    if name != UNRELEASED:
        lines += date_problems(name, day)
        left = entry(changelog, UNRELEASED)
        if left and re.search(r"^[*-] \S", left[0], re.MULTILINE) and not draft:
            lines.append(f"CHANGELOG.md: what stands under [{UNRELEASED}] belongs under [{name}], or must wait")
    return lines


def date_problems(name: str, day: str | None) -> list[str]:
    """That a released version's heading carries a day of the calendar."""
    try:
        date.fromisoformat(day or "")
    except ValueError:
        return [f"CHANGELOG.md: the heading of [{name}] needs the day of the release, as in `## [{name}] - 2026-01-31`"]
    return []
