"""Writes the tables of docs/configuration.md from the service's own settings, so that the page can't lag behind.

`python -m hack.configuration_page` rewrites what stands between the page's markers; a unit test holds the two equal.
"""

import json
import re
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reranker_service.config_errors import allowed
from reranker_service.settings import ENV_PREFIX, BackendKeys, ScoreCheckKeys, ServerKeys

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
# A table's name in the page, its keys, and what stands before a key in a variable's name.
TABLES: dict[str, tuple[type[BaseModel], str]] = {
    "backends": (BackendKeys, ENV_PREFIX),
    "server": (ServerKeys, f"{ENV_PREFIX}SERVER__"),
    "score_check": (ScoreCheckKeys, f"{ENV_PREFIX}SCORE_CHECK__"),
}


def table(model: type[BaseModel], prefix: str) -> str:
    """A Markdown table of one section's keys."""
    lines = ["| key | allowed | default | variable | |", "|---|---|---|---|---|"]
    lines += [_row(key, field, prefix) for key, field in model.model_fields.items()]
    return "\n".join(lines)


def render(page: str) -> str:
    """The page with its tables as they should be.

    Raises:
        ValueError: a table's markers are missing.
    """
    for name, (model, prefix) in TABLES.items():
        between = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not between.search(page):
            raise ValueError(f"{PAGE} has no place for the table {name}")
        text = table(model, prefix)
        page = between.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)  # type: ignore[misc]
    return page


def _row(key: str, field: FieldInfo, prefix: str) -> str:
    cells = (f"`{key}`", allowed(field), _default(field), f"`{prefix}{key.upper()}`", field.description or "")
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: required"
    return f"`{json.dumps(field.default, ensure_ascii=False)}`"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
