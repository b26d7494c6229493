"""The dashboard *Reranker fleet*: all RerankerDeployments, what the operator says about them, and how they do."""

from grafana_foundation_sdk.builders import dashboard

from hack.observability.boards import FLEET, board, chooser, section
from hack.observability.panels import BAD_FROM_ONE, PROOF, UNDER_WAY, YES_NO, Query, lines, matrix, number, rows, states
from hack.observability.queries import CHOSEN_OBJECTS, or_zero

OBJECT = "namespace, name"
SERVED = 'namespace=~"$namespace", reranker=~"$reranker"'
NAME = "{{namespace}}/{{name}}"
RERANKER_NAME = "{{namespace}}/{{reranker}}"


def build() -> dashboard.Dashboard:
    """The whole dashboard."""
    built = board(FLEET, "All RerankerDeployments: do they serve, do they rank correctly, are they on their way?")
    replicas = "reranker_operator_spec_replicas"
    built = built.with_variable(chooser("namespace", "Namespace", replicas)).with_variable(
        chooser("reranker", "Reranker", f'{replicas}{{namespace=~"$namespace"}}', "name")
    )
    built = section(built, "Now", _now())
    built = section(built, "Each of them", [*_each(), *_score_checks()])
    built = section(built, "Over time", _over_time())
    built = section(built, "Traffic", _traffic())
    return section(built, "Benchmarks", _benchmarks())


def holds(condition: str, status: str = "True") -> str:
    """1 for each object whose condition has this status, 0 for each other."""
    said = f'reranker_operator_condition{{{CHOSEN_OBJECTS}, type="{condition}", status="{status}"}} == 1'
    others = f"0 * reranker_operator_spec_replicas{{{CHOSEN_OBJECTS}}}"
    return f"max by ({OBJECT}) ({said}) or max by ({OBJECT}) ({others})"


def proof() -> str:
    """1 for each object whose ranking was proved right, -1 for one that ranks wrongly, 0 where nobody knows."""
    return f"({holds('ScoringVerified')}) - ({holds('ScoringVerified', 'False')})"


def _now() -> list[object]:
    return [
        number(
            "How many",
            "RerankerDeployments that the operator serves.",
            or_zero(f"count (max by ({OBJECT}) (reranker_operator_spec_replicas{{{CHOSEN_OBJECTS}}}))"),
        ),
        number("Serving", "Those that are Available.", f"sum ({holds('Available')})"),
        number(
            "Ranking proved right",
            "Those whose ScoringVerified is True. Unknown: there is nothing to prove it with.",
            f"sum ({holds('ScoringVerified')})",
        ),
        number(
            "Ranking wrongly",
            "Those whose ScoringVerified is False.",
            f"sum ({holds('ScoringVerified', 'False')})",
            steps=BAD_FROM_ONE,
        ),
        number("Rolling out", "Those that are Progressing.", f"sum ({holds('Progressing')})"),
        number(
            "Refused",
            "Those whose spec is not Accepted.",
            f"sum ({holds('Accepted', 'False')})",
            steps=BAD_FROM_ONE,
        ),
    ]


def _each() -> list[object]:
    def gauge(metric: str) -> str:
        return f"max by ({OBJECT}) ({metric}{{{CHOSEN_OBJECTS}}})"

    return [
        rows(
            "RerankerDeployments",
            "What the operator says: whether each condition is True, and how many pods serve.",
            [
                Query(holds("Accepted"), "Accepted"),
                Query(holds("Available"), "Available"),
                Query(holds("Progressing"), "Progressing"),
                Query(proof(), "Ranking"),
                Query(gauge("reranker_operator_ready_replicas"), "Ready"),
                Query(gauge("reranker_operator_spec_replicas"), "Wanted"),
            ],
            key=("namespace", "name"),
            words={"Accepted": YES_NO, "Available": YES_NO, "Progressing": UNDER_WAY, "Ranking": PROOF},
        ),
        rows(
            "What runs",
            "Pods by model, version and engine. Two versions of one reranker: a rollout is under way, or stuck.",
            [
                Query(
                    "count by (namespace, reranker, backend, instruction_format, model, version, engine_version) "
                    f"(reranker_build_info{{{SERVED}}})",
                    "Pods",
                )
            ],
            key=(
                "namespace",
                "reranker",
                "backend",
                "instruction_format",
                "model",
                "version",
                "engine_version",
            ),
        ),
    ]


def _score_checks() -> list[object]:
    """What each pod found when it checked itself; a pod that had nothing to check with is in none of these."""
    pod = "namespace, reranker, pod"

    def found(metric: str) -> str:
        return f"min by ({pod}) (reranker_score_check_{metric}{{{SERVED}}})"

    return [
        rows(
            "Score checks",
            "What each pod found when it checked its own ranking. Margins and drift are in log-odds.",
            [
                Query(found("passed"), "Passed"),
                Query(found("violations"), "Pairs in the wrong order"),
                Query(found("worst_margin"), "Least margin"),
                Query(found("max_drift"), "Drift from the baseline"),
            ],
            key=("namespace", "reranker", "pod"),
            words={"Passed": YES_NO},
            quiet="no pod has a golden set to check itself with",
        )
    ]


def _over_time() -> list[object]:
    return [
        states("Available", "When each of them could serve.", Query(holds("Available"), NAME), span=12),
        states(
            "Ranking",
            "When each of them was proved to rank correctly, and when it ranked wrongly.",
            Query(proof(), NAME),
            words=PROOF,
            span=12,
        ),
        lines(
            "Replicas ready",
            "Pods that serve, by RerankerDeployment.",
            [Query(f"max by ({OBJECT}) (reranker_operator_ready_replicas{{{CHOSEN_OBJECTS}}})", NAME)],
        ),
        lines(
            "Replicas missing",
            "Wanted and not ready: for a while during a rollout, for long when pods don't come up.",
            [
                Query(
                    f"clamp_min(max by ({OBJECT}) (reranker_operator_spec_replicas{{{CHOSEN_OBJECTS}}}) - "
                    f"max by ({OBJECT}) (reranker_operator_ready_replicas{{{CHOSEN_OBJECTS}}}), 0)",
                    NAME,
                )
            ],
        ),
    ]


def _traffic() -> list[object]:
    by = "namespace, reranker"
    duration = "reranker_request_duration_seconds"

    def per_reranker(metric: str, more: str = "") -> str:
        return f"sum by ({by}) (rate({metric}{{{SERVED}{more}}}[$__rate_interval]))"

    answered = f'sum by (le, {by}) (rate({duration}_bucket{{{SERVED}, outcome="ok"}}[$__rate_interval]))'
    return [
        lines(
            "Documents per second",
            "Documents ranked, by RerankerDeployment.",
            [Query(or_zero(per_reranker("reranker_documents_total"), "reranker"), RERANKER_NAME)],
            stacked=True,
        ),
        lines(
            "p95 latency",
            "95 of 100 answered requests took no longer.",
            [Query(f"histogram_quantile(0.95, {answered})", RERANKER_NAME)],
            unit="s",
        ),
        lines(
            "Not answered",
            "Requests per second that were refused for want of room, or failed.",
            [
                Query(
                    or_zero(per_reranker(f"{duration}_count", ', outcome=~"refused|failed"'), "reranker"),
                    RERANKER_NAME,
                )
            ],
            unit="reqps",
        ),
        lines(
            "Queued documents per pod",
            "What the autoscaler looks at: its target is set by spec.autoscaling.targetQueuedDocuments.",
            [Query(f"avg by ({by}) (reranker_queued_documents{{{SERVED}}})", RERANKER_NAME)],
        ),
    ]


def _benchmarks() -> list[object]:
    measured = 'namespace=~"$namespace", deployment=~"$reranker"'
    cell = "namespace, benchmark, backend, instruction_format, documents"

    def table(statistic: str) -> str:
        figures = f"max by ({cell}) (reranker_operator_benchmark_{statistic}_seconds{{{measured}}}) * 1000"
        return f'label_join({figures}, "scenario", " ", "benchmark", "backend", "instruction_format")'

    return [
        rows(
            "RerankerBenchmarks",
            "The phase that each of them is in.",
            [
                Query(
                    "max by (namespace, benchmark, deployment, phase) "
                    f"(reranker_operator_benchmark_phase{{{measured}}})",
                    "Benchmarks",
                )
            ],
            key=("namespace", "benchmark", "deployment", "phase"),
            hidden=("Value",),
            quiet="no RerankerBenchmark yet",
        ),
        *(
            matrix(
                f"Measured {title} in ms: documents by scenario",
                "What the benchmarks in the cluster found, whenever that was: compare it with the live table of "
                "*Reranker latency*.",
                table(statistic),
                row="documents",
                column="scenario",
                unit="ms",
                quiet="no RerankerBenchmark has measured yet",
            )
            for title, statistic in (("mean", "mean"), ("p95", "p95"))
        ),
    ]
