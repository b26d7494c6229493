"""The dashboards as they lie in the chart. Grafana itself isn't here: what it would check, its SDK's types do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from hack.observability.__main__ import BOARDS, FILES
from hack.observability.boards import LATENCY, as_json
from hack.observability.expressions import dashboards, metrics, of_dashboards, panels
from hack.observability.picture import first_sections
from reranker_operator.benchmark_metrics import BenchmarkFigures
from reranker_operator.metrics import Metrics as OperatorMetrics
from reranker_service.metrics import Metrics as ServiceMetrics
from reranker_service.score_check.check import Report
from reranker_service.score_check.verdict import BaselineFigures, OrderFigures

BUILT_IN = {"__rate_interval", "__range"}


@pytest.fixture(params=BOARDS, scope="module")
def board(request: pytest.FixtureRequest) -> Any:
    return dashboards()[request.param]


@pytest.mark.parametrize("uid", BOARDS)
def test_what_lies_in_the_chart_is_what_the_code_says(uid: str) -> None:
    assert (FILES / "dashboards" / f"{uid}.json").read_text() == as_json(BOARDS[uid]()), "run hack/generate"


def test_grafanas_types_read_it_back(board: Any) -> None:
    read = Dashboard.from_json(board)
    assert read.uid == board["uid"]
    assert len(read.panels or []) == len(board["panels"])


def test_every_panel_says_what_it_shows(board: Any) -> None:
    seen: set[str] = set()
    for panel in panels(board):
        assert panel["title"] not in seen, "a title names one panel"
        seen.add(panel["title"])
        assert len(panel["description"]) > 15, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"], panel["title"]
        if panel["type"] in {"timeseries", "stat"}:
            assert defaults["unit"], panel["title"]
    assert len(seen) >= 7


def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: Any) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + column, place["y"] + line) for column in range(place["w"]) for line in range(place["h"])}
        assert max(column for column, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_query_goes_to_the_chosen_source_and_uses_variables_that_there_are(board: Any) -> None:
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert "datasource" in variables
    for panel in panels(board):
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables | BUILT_IN, panel["title"]


def test_every_variable_is_used(board: Any) -> None:
    expressions = " ".join(target["expr"] for panel in panels(board) for target in panel["targets"])
    for variable in board["templating"]["list"]:
        assert variable["name"] == "datasource" or f"${variable['name']}" in expressions


def test_links_lead_to_the_other_dashboards(board: Any) -> None:
    assert {link["url"].removeprefix("/d/") for link in board["links"]} == BOARDS.keys() - {board["uid"]}


def test_legends_name_labels_that_the_query_keeps() -> None:
    for board in dashboards().values():
        for panel in panels(board):
            for target in panel["targets"]:
                wanted = set(re.findall(r"{{(\w+)}}", target.get("legendFormat") or ""))
                if panel["type"] == "timeseries" and wanted:
                    grouped = {
                        label.strip()
                        for group in re.findall(r"by \(([^)]*)\)", target["expr"])
                        for label in group.split(",")
                    }
                    assert wanted <= grouped, panel["title"]


def known_metrics() -> set[str]:
    """The sample names that the service and the operator can expose."""
    names: set[str] = set()
    service, operator = ServiceMetrics(backend="b", instruction_format="f"), OperatorMetrics().registry
    order = OrderFigures(pairs=1, violations=0, worst_margin=1, worst="")
    baseline = BaselineFigures("compared", limit=1, max_drift=0)
    service.show_score_check(Report("enforce", "passed", "", baseline, order=order))
    BenchmarkFigures(operator)
    for registry in (service.registry, operator):
        for family in registry.collect():
            suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
            names |= {f"{family.name}{suffix}" for suffix in suffixes}
    return names


def test_every_metric_that_is_asked_for_exists(rule_groups: Any) -> None:
    asked = {name for expression in of_dashboards() for name in metrics(expression.text)}
    asked |= {name for group in rule_groups for rule in group["rules"] for name in metrics(rule["expr"])}
    assert len(asked) > 20
    assert asked - known_metrics() == set()


def test_the_short_picture_ends_where_the_third_section_begins() -> None:
    board = dashboards()[LATENCY]
    shown = first_sections(board, 2)
    headings = [panel["title"] for panel in shown if panel["type"] == "row"]
    assert headings == ["At a glance", "Latency by number of documents"]
    assert board["panels"][len(shown)]["type"] == "row"
    assert first_sections(board, 99) == board["panels"]
