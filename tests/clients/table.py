"""Writes the matrix into docs/api.md. `python -m tests.clients.table FILE`, where FILE is a RERANKER_CLIENTS_RECORD."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.clients.matrix import ADAPTERS

PAGE = Path("docs/api.md")
BEGIN, END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->\n"
ERRORS = {
    "empty query": "empty query",
    "no documents": "no documents",
    "top_n 0": "top_n 0",
    "key": "401",
    "large body": "413",
    "long query": "422",
    "full queue": "429",
    "loading": "503",
}


def table(cells: dict[tuple[str, str], dict[str, Any]]) -> str:
    """One row a client."""
    head = ["client", "path", "ranks", "top_n", "documents", "key", *ERRORS.values()]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for adapter in ADAPTERS:
        seen = {check: cells[adapter.name, check] for check in ("ranks", "top_n", "documents", *ERRORS)}
        row = [
            adapter.name,
            f"`{adapter.path}`",
            _mark(seen["ranks"]),
            _mark(seen["top_n"]),
            _mark(seen["documents"]) if adapter.offers_documents else "–",
            "sent" if adapter.sends_key else "none",
            *(_exception(seen[check]) for check in ERRORS),
        ]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _mark(cell: dict[str, Any]) -> str:
    return "✓" if cell["ok"] else "**fails**"


def _exception(cell: dict[str, Any]) -> str:
    """The exception's name; `–` where the client answers such a call itself."""
    if not cell["ok"]:
        return "**fails**"
    what = cell["what"].removeprefix("sent; a wrong one: ").removeprefix("sends none: ")
    return "–" if what.startswith("answered by the client itself") else f"`{what.split(':')[0]}`"


def main(record: Path) -> None:
    cells = {(cell["client"], cell["check"]): cell for cell in json.loads(record.read_text())}
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{table(cells)}{END}{after}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
