"""The few kinds of panels that the dashboards are made of: each with a title, an explanation and a unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models import prometheus as prometheus_models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24
HEIGHT = 8
QUIET = "nothing in the time shown"
"""What a panel says in place of `No data`, when nobody asked for anything."""


@dataclass(frozen=True)
class Query:
    """One expression and how its series are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Step:
    """From this value on a colour holds; None for the lowest."""

    value: float | None
    color: str


Words = dict[str, models.ValueMappingResult]
"""What is shown in place of a number, and in which colour."""
YES_NO: Words = {
    "0": models.ValueMappingResult(text="no", color="red", index=0),
    "1": models.ValueMappingResult(text="yes", color="green", index=1),
}
UNDER_WAY: Words = {
    "0": models.ValueMappingResult(text="no", color="text", index=0),
    "1": models.ValueMappingResult(text="yes", color="blue", index=1),
}
PROOF: Words = {
    "-1": models.ValueMappingResult(text="wrong", color="red", index=0),
    "0": models.ValueMappingResult(text="unknown", color="text", index=1),
    "1": models.ValueMappingResult(text="proved", color="green", index=2),
}
GOOD_AT_ONE = (Step(None, "red"), Step(1, "green"))
BAD_FROM_ONE = (Step(None, "green"), Step(1, "red"))


def lines(
    title: str,
    explanation: str,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    span: int = 12,
    stacked: bool = False,
    most: float | None = None,
) -> timeseries.Panel:
    """Lines over time, from zero up."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(explanation)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(span)
        .height(HEIGHT)
        .fill_opacity(40 if stacked else 8)
        .line_width(1)
        .show_points(common_models.VisibilityMode.NEVER)
        .no_value(QUIET)
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.TABLE)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .targets(_range_targets(queries))
    )
    if most is not None:
        panel = panel.max(most)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    return panel


def number(
    title: str,
    explanation: str,
    expression: str,
    *,
    unit: str = "short",
    span: int = 4,
    steps: Sequence[Step] = (Step(None, "text"),),
    decimals: int | None = None,
) -> stat.Panel:
    """One figure, as it is now."""
    panel = (
        stat.Panel()
        .title(title)
        .description(explanation)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(4)
        .no_value(QUIET)
        .thresholds(_thresholds(steps))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .with_target(_instant(Query(expression), "A", prometheus_models.PromQueryFormat.TIME_SERIES))
    )
    return panel.decimals(decimals) if decimals is not None else panel


def matrix(
    title: str, explanation: str, expression: str, *, row: str, column: str, unit: str, quiet: str = QUIET
) -> table.Panel:
    """A table of one value by two labels of an instant query."""
    to_matrix = {"columnField": column, "rowField": row, "valueField": "Value", "emptyValue": "null"}
    return (
        table.Panel()
        .title(title)
        .description(explanation)
        .datasource(SOURCE)
        .unit(unit)
        .decimals(1)
        .span(12)
        .height(HEIGHT)
        .no_value(quiet)
        .with_target(_instant(Query(expression), "A", prometheus_models.PromQueryFormat.TABLE))
        .with_transformation(models.DataTransformerConfig(id_val="groupingToMatrix", options=to_matrix))
    )


def rows(
    title: str,
    explanation: str,
    queries: Sequence[Query],
    *,
    key: Sequence[str],
    span: int = WIDTH,
    hidden: Sequence[str] = (),
    words: Mapping[str, Words] | None = None,
    quiet: str = QUIET,
) -> table.Panel:
    """A table with a row for each combination of the key's labels and a column for each query, named by its legend."""
    letters = [chr(ord("A") + index) for index in range(len(queries))]
    names = {f"Value #{letter}": query.legend for letter, query in zip(letters, queries, strict=True)}
    if len(queries) == 1:
        names = {"Value": queries[0].legend}
    order = {name: index for index, name in enumerate([*key, *names])}
    organize = {
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "indexByName": order,
        "renameByName": {name: new for name, new in names.items() if new},
    }
    panel = (
        table.Panel()
        .title(title)
        .description(explanation)
        .datasource(SOURCE)
        .span(span)
        .height(6)
        .no_value(quiet)
        .targets(
            [
                _instant(query, letter, prometheus_models.PromQueryFormat.TABLE)
                for letter, query in zip(letters, queries, strict=True)
            ]
        )
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(models.DataTransformerConfig(id_val="organize", options=organize))
    )
    for name, mapping in (words or {}).items():
        panel = panel.override_by_name(
            name,
            [
                models.DynamicConfigValue(id_val="mappings", value=[models.ValueMap(options=mapping)]),
                models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
            ],
        )
    return panel


def heat(title: str, explanation: str, expression: str, *, unit: str, span: int = 12) -> heatmap.Panel:
    """A histogram's buckets over time."""
    target = (
        prometheus.Dataquery()
        .expr(expression)
        .ref_id("A")
        .legend_format("{{le}}")
        .format(prometheus_models.PromQueryFormat.HEATMAP)
        .range()
        .datasource(SOURCE)
    )
    return (
        heatmap.Panel()
        .title(title)
        .description(explanation)
        .datasource(SOURCE)
        .span(span)
        .height(HEIGHT)
        .no_value(QUIET)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .color(heatmap.HeatmapColorOptions().mode(heatmap_models.HeatmapColorMode.SCHEME).scheme("Blues").steps(64))
        .with_target(target)
    )


def states(
    title: str, explanation: str, query: Query, *, words: Words = YES_NO, span: int = WIDTH
) -> statetimeline.Panel:
    """When something was how, in words for the query's numbers."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(explanation)
        .datasource(SOURCE)
        .span(span)
        .height(HEIGHT)
        .no_value(QUIET)
        .mappings([models.ValueMap(options=words)])
        .thresholds(_thresholds(GOOD_AT_ONE))
        .targets(_range_targets([query]))
    )


def link(title: str, uid: str) -> dashboard.DashboardLink:
    """A link to another of these dashboards, with the variables and the time as they are."""
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .include_vars(True)
        .keep_time(True)
    )


def _range_targets(queries: Sequence[Query]) -> list[Builder[Dataquery]]:
    return [
        prometheus.Dataquery()
        .expr(query.expression)
        .ref_id(chr(ord("A") + index))
        .legend_format(query.legend)
        .range()
        .datasource(SOURCE)
        for index, query in enumerate(queries)
    ]


def _instant(query: Query, letter: str, form: prometheus_models.PromQueryFormat) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expression).ref_id(letter).format(form).instant().datasource(SOURCE)


def _thresholds(steps: Sequence[Step]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=step.value, color=step.color) for step in steps])
    )
