"""The dashboard *Reranker operator*: does the operator keep up, and what does it do?"""

from grafana_foundation_sdk.builders import dashboard

from hack.observability.boards import OPERATOR, board, section
from hack.observability.panels import BAD_FROM_ONE, GOOD_AT_ONE, Query, heat, lines, number
from hack.observability.queries import or_zero, quantile, ratio

RECONCILES = "reranker_operator_reconciles_total"
DURATION = "reranker_operator_reconcile_duration_seconds"
LONG = "10m"
"""At rest there is a pass over each object every few minutes only (resyncSeconds)."""


def build() -> dashboard.Dashboard:
    """The whole dashboard."""
    built = board(OPERATOR, "The operator itself: its passes over the objects, its queue, its watches, its writes.")
    built = section(built, "Now", _now())
    built = section(built, "Passes", _passes())
    return section(built, "What it sees and writes", _world())


def _now() -> list[object]:
    failing = f'sum (rate({RECONCILES}{{result="error"}}[5m]))'
    return [
        number(
            "Leaders",
            "Operators that hold the Lease of their release. One works, the others stand by.",
            "sum (reranker_operator_leader)",
            steps=GOOD_AT_ONE,
        ),
        number(
            "Operators",
            "Operators that answer Prometheus, the leader and those that stand by.",
            "count (reranker_operator_leader)",
        ),
        number(
            "Waiting now",
            "Custom resources that wait for a pass or are in one.",
            or_zero("sum (reranker_operator_queue_depth)"),
        ),
        number(
            "Passes failing",
            "The part of the passes in the last 5 minutes that ended in an error. They are tried again.",
            ratio(failing, f"sum (rate({RECONCILES}[5m]))"),
            unit="percentunit",
            decimals=0,
            steps=BAD_FROM_ONE,
        ),
        number(
            "Oldest watch",
            "How long ago the oldest watch was opened. Watches are opened anew every few minutes.",
            "max (reranker_operator_watch_age_seconds)",
            unit="s",
        ),
    ]


def _passes() -> list[object]:
    return [
        lines(
            "Passes per second by kind and result",
            "Every object is looked at whenever something of it changes, and every few minutes in any case.",
            [
                Query(
                    or_zero(f"sum by (kind, result) (rate({RECONCILES}[$__rate_interval]))", "kind"),
                    "{{kind}} {{result}}",
                )
            ],
            unit="ops",
            stacked=True,
        ),
        lines(
            "Time of a pass",
            "A pass reads and writes through the API server: slow ones mostly mean that it is slow.",
            [
                Query(quantile(0.5, DURATION, "", window=LONG), "p50"),
                Query(quantile(0.95, DURATION, "", window=LONG), "p95"),
                Query(quantile(0.99, DURATION, "", window=LONG), "p99"),
            ],
            unit="s",
        ),
        heat(
            "Time of all passes",
            "How many passes took how long.",
            f"sum by (le) (rate({DURATION}_bucket[$__rate_interval]))",
            unit="s",
        ),
        lines(
            "Waiting objects",
            "It grows when the operator can't keep up.",
            [Query(or_zero("sum by (kind) (reranker_operator_queue_depth)", "kind"), "{{kind}}")],
        ),
    ]


def _world() -> list[object]:
    return [
        lines(
            "Writes per second by kind",
            "None at rest: writes without a change mean that someone else writes the same fields.",
            [
                Query(
                    or_zero("sum by (kind) (rate(reranker_operator_writes_total[$__rate_interval]))", "kind"),
                    "{{kind}}",
                )
            ],
            unit="ops",
            stacked=True,
        ),
        lines(
            "Who leads",
            "1 for the operator that holds the Lease. It moves when a node goes or the API server is slow.",
            [Query("max by (pod) (reranker_operator_leader)", "{{pod}}")],
            most=1,
        ),
        lines(
            "Age of the watches",
            "A saw-tooth. One that only rises is stuck: the operator doesn't see changes of this kind.",
            [Query("max by (collection) (reranker_operator_watch_age_seconds)", "{{collection}}")],
            unit="s",
        ),
    ]
