"""Recording rules and alerts, as one file of Prometheus rules that the chart wraps into a PrometheusRule.

Two objectives a RerankerDeployment, availability and latency, are watched by the rate at which their error budget of 30
days burns, each over a long and a short window: the long one says that it matters, the short one that it still goes on.
The chart puts its values in place of the words in capitals.
"""

from dataclasses import dataclass
from typing import Any

from hack.observability.queries import RERANKER

AVAILABILITY, LATENCY, LATENCY_SECONDS = "OBJECTIVE_AVAILABILITY", "OBJECTIVE_LATENCY", "OBJECTIVE_SECONDS"
"""What the chart's values prometheusRule.objectives take the place of."""
COUNT = "reranker_request_duration_seconds_count"
BUCKET = "reranker_request_duration_seconds_bucket"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
ERRORS = "namespace_reranker:reranker_request_errors:ratio_rate"
SLOW = "namespace_reranker:reranker_request_slow:ratio_rate"
OBJECT = "namespace, name"


@dataclass(frozen=True)
class Burn:
    """Budget burnt at `factor` times the rate that would just use it up in 30 days."""

    long: str
    short: str
    factor: float
    severity: str
    hold: str


BURNS = (
    Burn("1h", "5m", 14.4, "critical", "2m"),
    Burn("6h", "30m", 6, "critical", "15m"),
    Burn("1d", "2h", 3, "warning", "1h"),
    Burn("3d", "6h", 1, "warning", "3h"),
)


def groups() -> dict[str, Any]:
    """The content of the rules file."""
    return {
        "groups": [
            {"name": "reranker.objectives.recording", "rules": [*_recorded_errors(), *_recorded_slowness()]},
            {"name": "reranker.traffic.recording", "rules": _recorded_traffic()},
            {"name": "reranker.objectives", "rules": [*_error_burns(), *_latency_burns()]},
            {"name": "reranker.rerankers", "rules": _reranker_alerts()},
            {"name": "reranker.operator", "rules": _operator_alerts()},
        ]
    }


def _recorded_errors() -> list[dict[str, Any]]:
    """The part of the requests that failed through our fault; what the client did wrong counts on neither side."""

    def counted(outcome: str, window: str) -> str:
        return f'sum by ({RERANKER}) (rate({COUNT}{{outcome=~"{outcome}"}}[{window}]))'

    return [
        {
            "record": f"{ERRORS}{window}",
            "expr": f"({counted('failed', window)} or 0 * {counted('ok|failed', window)})"
            f" / {counted('ok|failed', window)}",
        }
        for window in WINDOWS
    ]


def _recorded_slowness() -> list[dict[str, Any]]:
    """The part of the answered requests that took longer than was promised."""
    return [
        {
            "record": f"{SLOW}{window}",
            "expr": f'1 - sum by ({RERANKER}) (rate({BUCKET}{{outcome="ok", le="{LATENCY_SECONDS}"}}[{window}]))'
            f' / sum by ({RERANKER}) (rate({COUNT}{{outcome="ok"}}[{window}]))',
        }
        for window in WINDOWS
    ]


def _recorded_traffic() -> list[dict[str, Any]]:
    duration = 'reranker_request_duration_seconds_bucket{outcome="ok", documents!="none"}'
    return [
        {
            "record": "namespace_reranker:reranker_requests:rate5m",
            "expr": f"sum by ({RERANKER}) (rate({COUNT}[5m]))",
        },
        {
            "record": "namespace_reranker:reranker_documents:rate5m",
            "expr": f"sum by ({RERANKER}) (rate(reranker_documents_total[5m]))",
        },
        {
            "record": "namespace_reranker_documents:reranker_request_duration_seconds:p95_5m",
            "expr": f"histogram_quantile(0.95, sum by (le, documents, {RERANKER}) (rate({duration}[5m])))",
        },
        {
            "record": "namespace_reranker:reranker_queued_documents:avg",
            "expr": f"avg by ({RERANKER}) (reranker_queued_documents)",
        },
    ]


def _alert(
    name: str,
    expression: str,
    severity: str,
    summary: str,
    description: str,
    *,
    hold: str,
    windows: dict[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": hold,
        "labels": {"severity": severity, **(windows or {})},
        "annotations": {"summary": summary, "description": description, "runbook": f"docs/runbooks/{name}.md"},
    }


def _burning(recorded: str, burn: Burn, objective: str) -> str:
    budget = f"{burn.factor:g} * (1 - {objective})"
    return f"{recorded}{burn.long} > {budget} and {recorded}{burn.short} > {budget}"


def _error_burns() -> list[dict[str, Any]]:
    return [
        _alert(
            "RerankerErrorBudgetBurn",
            _burning(ERRORS, burn, AVAILABILITY),
            burn.severity,
            "{{ $labels.namespace }}/{{ $labels.reranker }} fails too many requests",
            f"{{{{ $value | humanizePercentage }}}} of the requests of the last {burn.long} failed: that uses up the "
            f"error budget of 30 days {burn.factor:g} times too fast.",
            hold=burn.hold,
            windows={"long": burn.long, "short": burn.short},
        )
        for burn in BURNS
    ]


def _latency_burns() -> list[dict[str, Any]]:
    return [
        _alert(
            "RerankerLatencyBudgetBurn",
            _burning(SLOW, burn, LATENCY),
            burn.severity,
            "{{ $labels.namespace }}/{{ $labels.reranker }} is too slow",
            f"{{{{ $value | humanizePercentage }}}} of the requests of the last {burn.long} took longer than "
            f"{LATENCY_SECONDS} s: that uses up the budget of 30 days {burn.factor:g} times too fast.",
            hold=burn.hold,
            windows={"long": burn.long, "short": burn.short},
        )
        # A budget of 7 percent or more can't burn 14.4 times too fast; then the second pair tells first.
        for burn in BURNS
    ]


def _reranker_alerts() -> list[dict[str, Any]]:
    wanted = f"max by ({OBJECT}) (reranker_operator_spec_replicas)"
    ready = f"max by ({OBJECT}) (reranker_operator_ready_replicas)"
    return [
        _alert(
            "RerankerQueueSaturated",
            f'sum by ({RERANKER}) (rate({COUNT}{{outcome="refused"}}[5m]))'
            f" / sum by ({RERANKER}) (rate({COUNT}[5m])) > 0.05",
            "warning",
            "{{ $labels.namespace }}/{{ $labels.reranker }} turns requests away",
            "{{ $value | humanizePercentage }} of the requests are refused: the queue is full, or pods are leaving.",
            hold="5m",
        ),
        _alert(
            "RerankerNotReady",
            f"{_condition('Available', 'False')} and on({OBJECT}) {wanted} > 0",
            "critical",
            "{{ $labels.namespace }}/{{ $labels.name }} does not serve",
            "The RerankerDeployment has not been Available for 10 minutes.",
            hold="10m",
        ),
        _alert(
            "RerankerReplicasMissing",
            f"{wanted} - {ready} > 0",
            "warning",
            "{{ $labels.namespace }}/{{ $labels.name }} lacks {{ $value }} of its pods",
            "Pods that are wanted have not become ready for 30 minutes.",
            hold="30m",
        ),
        _alert(
            "RerankerScoreCheckFailed",
            f"min by ({RERANKER}, pod) (reranker_score_check_passed) == 0",
            "critical",
            "{{ $labels.namespace }}/{{ $labels.pod }} ranks wrongly",
            "Its scores contradict the golden set, or differ from the baseline by more than is allowed.",
            hold="1m",
        ),
        _alert(
            "RerankerSpecRefused",
            _condition("Accepted", "False"),
            "warning",
            "{{ $labels.namespace }}/{{ $labels.name }} can't be deployed as it is",
            "The operator does not accept its spec. The last one that it accepted keeps running.",
            hold="5m",
        ),
        _alert(
            "RerankerEngineDown",
            f"min by ({RERANKER}, pod) (reranker_engine_up) == 0",
            "warning",
            "The engine of {{ $labels.namespace }}/{{ $labels.pod }} does not run",
            "For 30 minutes the pod's engine has not been loaded, or has not got on.",
            hold="30m",
        ),
        _alert(
            "RerankerTargetDown",
            f'min by ({RERANKER}, pod) (up{{reranker!=""}}) == 0',
            "warning",
            "{{ $labels.namespace }}/{{ $labels.pod }} does not answer Prometheus",
            "Its metrics have been missing for 10 minutes, so other alerts about it can't be trusted.",
            hold="10m",
        ),
        _alert(
            "RerankerTruncatesDocuments",
            f"sum by ({RERANKER}) (rate(reranker_truncated_documents_total[30m])) "
            f"/ sum by ({RERANKER}) (rate(reranker_documents_total[30m])) > 0.2",
            "info",
            "{{ $labels.namespace }}/{{ $labels.reranker }} cuts many documents",
            "{{ $value | humanizePercentage }} of the documents are too long for maxModelLen: their ends are not read.",
            hold="30m",
        ),
    ]


def _condition(kind: str, status: str) -> str:
    return f'max by ({OBJECT}) (reranker_operator_condition{{type="{kind}", status="{status}"}}) == 1'


def _operator_alerts() -> list[dict[str, Any]]:
    reconciles = "reranker_operator_reconciles_total"
    return [
        _alert(
            "RerankerOperatorDown",
            "absent(reranker_operator_watch_age_seconds)",
            "critical",
            "No operator answers Prometheus",
            "Rerankers go on serving as they are, but no change takes effect, and no pod that fails is noticed.",
            hold="10m",
        ),
        _alert(
            "RerankerOperatorNoLeader",
            "max by (namespace) (reranker_operator_leader) == 0",
            "critical",
            "No operator in {{ $labels.namespace }} leads",
            "Operators run, and for 5 minutes none of them has held the Lease: no change takes effect.",
            hold="5m",
        ),
        _alert(
            "RerankerOperatorStalled",
            "sum by (kind) (reranker_operator_queue_depth) > 0 "
            f"unless on (kind) sum by (kind) (increase({reconciles}[10m])) > 0",
            "critical",
            "The operator does not get on",
            "{{ $labels.kind }} objects wait: {{ $value }}, and for 10 minutes no pass over one has ended.",
            hold="5m",
        ),
        _alert(
            "RerankerOperatorFailing",
            f'sum (rate({reconciles}{{result="error"}}[10m])) / sum (rate({reconciles}[10m])) > 0.5',
            "warning",
            "The operator's passes fail",
            "{{ $value | humanizePercentage }} of its passes over objects end in an error.",
            hold="15m",
        ),
        _alert(
            "RerankerOperatorWatchStuck",
            "max by (collection) (reranker_operator_watch_age_seconds) > 1800",
            "warning",
            "The operator's watch of {{ $labels.collection }} is stuck",
            "It was opened {{ $value | humanizeDuration }} ago; watches are opened anew every few minutes.",
            hold="5m",
        ),
    ]
