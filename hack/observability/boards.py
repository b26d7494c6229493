"""What the dashboards have in common: variables, links to one another, their JSON."""

import json
from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from hack.observability.panels import SOURCE, link

LATENCY, FLEET, OPERATOR = "reranker-latency", "reranker-fleet", "reranker-operator"
TITLES = {LATENCY: "Reranker latency", FLEET: "Reranker fleet", OPERATOR: "Reranker operator"}


def board(uid: str, explanation: str, *, since: str = "now-1h") -> dashboard.Dashboard:
    """An empty dashboard with links to the others."""
    built = (
        dashboard.Dashboard(TITLES[uid])
        .uid(uid)
        .description(explanation)
        .tags(["reranker"])
        .timezone("browser")
        .refresh("30s")
        .time(since, "now")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for other, title in TITLES.items():
        if other != uid:
            built = built.link(link(title, other))
    return built


def chooser(name: str, label: str, metric: str, of: str = "") -> dashboard.QueryVariable:
    """A variable with the values of a metric's label; all of them are chosen at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({metric}, {of or name})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def section(built: dashboard.Dashboard, title: str, panels: Sequence[Any]) -> dashboard.Dashboard:
    """A row's title and its panels."""
    built = built.with_row(dashboard.Row(title))
    for panel in panels:
        built = built.with_panel(panel)
    return built


def as_json(built: dashboard.Dashboard) -> str:
    """The dashboard as Grafana reads it, its panels numbered in order."""
    content = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    for number, panel in enumerate(content["panels"], start=1):
        panel["id"] = number
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
