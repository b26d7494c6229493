"""Writes the matrix into docs/api.md. `python -m tests.clients.table FILE`, where FILE is a RERANKER_CLIENTS_RECORD."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.clients.matrix import ADAPTERS

PAGE = Path("docs/api.md")
BEGIN, END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->\n"
ERRORS = {
    "empty query": "query",
    "no documents": "documents",
    "top_n 0": "top_n",
    "key": "401",
    "large body": "413",
    "long query": "422",
    "full queue": "429",
    "loading": "503",
}


def table(cells: dict[tuple[str, str], dict[str, Any]]) -> str:
    """One row a client."""
    head = ["client", "path", "ranks", "top_n", "documents", "key", "raises"]
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
            _exceptions(seen),
        ]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _mark(cell: dict[str, Any]) -> str:
    return "✓" if cell["ok"] else "**fails**"


def _exceptions(seen: dict[str, dict[str, Any]]) -> str:
    """Each exception with what it is raised for; nothing for what the client answers itself."""
    causes: dict[str, list[str]] = {}
    for check, cause in ERRORS.items():
        what = seen[check]["what"].removeprefix("sent; a wrong one: ").removeprefix("sends none: ")
        if not seen[check]["ok"]:
            causes.setdefault("**fails**", []).append(cause)
        elif not what.startswith("answered by the client itself"):
            causes.setdefault(f"`{what.split(':')[0]}`", []).append(cause)
    return "; ".join(f"{name}: {', '.join(each)}" for name, each in causes.items())


def main(record: Path) -> None:
    cells = {(cell["client"], cell["check"]): cell for cell in json.loads(record.read_text())}
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{table(cells)}{END}{after}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
