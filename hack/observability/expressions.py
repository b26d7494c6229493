"""Every PromQL expression that the chart ships: where it stands, and as Prometheus gets it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hack.observability.__main__ import BOARDS, FILES

VARIABLES = {
    "$namespace": ".*",
    "$reranker": ".*",
    "$backend": ".*",
    "$format": ".*",
    "$__rate_interval": "1m",
    "$__range": "15m",
}


@dataclass(frozen=True)
class Expression:
    """One expression, with the panel's or rule's name."""

    where: str
    text: str

    def resolved(self) -> str:
        """With the dashboard's variables at All, and its intervals as Grafana would choose them."""
        text = self.text
        for name, value in VARIABLES.items():
            text = text.replace(name, value)
        return text


def dashboards() -> dict[str, Any]:
    """The dashboards as the chart ships them, by uid."""
    return {uid: json.loads((FILES / "dashboards" / f"{uid}.json").read_text()) for uid in BOARDS}


def panels(board: Any) -> Iterator[Any]:
    """A dashboard's panels, those of its rows included."""
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panels(panel) if panel.get("panels") else ()


def of_dashboards() -> list[Expression]:
    """Every query of every panel."""
    return [
        Expression(f"{board['title']} / {panel['title']} / {target['refId']}", target["expr"])
        for board in dashboards().values()
        for panel in panels(board)
        for target in panel["targets"]
    ]


def of_rules(groups: Any) -> list[Expression]:
    """Every rule's expression, of the groups of a PrometheusRule."""
    return [
        Expression(f"{group['name']} / {rule.get('record') or rule['alert']} / {number}", rule["expr"])
        for group in groups
        for number, rule in enumerate(group["rules"])
    ]


def metrics(text: str) -> set[str]:
    """The names of the product's metrics in an expression, those that rules record left out."""
    return set(re.findall(r"(?<![:\w])reranker_\w+", text))
