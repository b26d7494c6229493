"""Draws the dashboards as PNG files from a Prometheus: `python -m hack.observability.picture --help`."""

import argparse
import sys
import time
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hack.observability.ask import Span
from hack.observability.boards import LATENCY
from hack.observability.draw import draw
from hack.observability.expressions import dashboards
from hack.observability.server import Client, QueryError


def main() -> int:
    """Write one file a dashboard; the exit status is 1 when Prometheus doesn't answer."""
    parser = argparse.ArgumentParser(prog="python -m hack.observability.picture", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:9090", help="Prometheus (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=60, help="how far back (default %(default)s)")
    parser.add_argument("--until", type=float, default=time.time(), help="seconds since 1970 (default: now)")
    parser.add_argument("--rate-window", type=float, default=60, help="seconds of a rate (default %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("docs/images"), help="a folder (default %(default)s)")
    chosen = parser.parse_args()
    span = Span(chosen.until - chosen.minutes * 60, chosen.until)
    try:
        pictures(Client(chosen.url), span, chosen.output, chosen.rate_window)
    except (urllib.error.URLError, QueryError) as error:
        print(f"{chosen.url}: {error}", file=sys.stderr)
        return 1
    return 0


def pictures(client: Client, span: Span, output: Path, rate_window_s: float) -> list[Path]:
    """Draw all dashboards into a folder, and what of the latency a reader sees first; the files."""
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for uid, board in dashboards().items():
        written.append(output / f"dashboard-{uid}.png")
        draw(client, board, span, written[-1], rate_window_s=rate_window_s)
        if uid == LATENCY:
            written.append(output / "latency.png")
            draw(client, board | {"panels": first_sections(board, 2)}, span, written[-1], rate_window_s=rate_window_s)
    return written


def first_sections(board: Mapping[str, Any], count: int) -> list[Any]:
    """The panels of a dashboard's first sections, their headings included."""
    headings = [place for place, panel in enumerate(board["panels"]) if panel["type"] == "row"]
    return list(board["panels"][: headings[count] if len(headings) > count else None])


if __name__ == "__main__":
    sys.exit(main())
