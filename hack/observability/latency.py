"""The dashboard *Reranker latency*: what clients of a reranker wait for, and where the time goes."""

from grafana_foundation_sdk.builders import dashboard

from hack.observability.boards import LATENCY, board, chooser, section
from hack.observability.panels import (
    GOOD_AT_ONE,
    Query,
    heat,
    lines,
    matrix,
    number,
)
from hack.observability.queries import CHOSEN, SCENARIO, WHOLE, mean, or_zero, quantile, rate, ratio

DURATION = "reranker_request_duration_seconds"
REQUESTS = f"{DURATION}_count"
ANSWERED = f'{CHOSEN}, outcome="ok"'
FAILED = f'{CHOSEN}, outcome="failed"'
WITH_DOCUMENTS = f'{ANSWERED}, documents!="none"'
QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


def build() -> dashboard.Dashboard:
    """The whole dashboard."""
    built = board(LATENCY, "How long a rerank takes, by its number of documents and by backend, and why.")
    built = (
        built.with_variable(chooser("namespace", "Namespace", "reranker_build_info"))
        .with_variable(chooser("reranker", "Reranker", 'reranker_build_info{namespace=~"$namespace"}'))
        .with_variable(chooser("backend", "Backend", "reranker_build_info"))
        .with_variable(chooser("format", "Format", "reranker_build_info", "instruction_format"))
    )
    built = section(built, "At a glance", _glance())
    built = section(built, "Latency by number of documents", _by_documents())
    built = section(built, "Latency by backend and format", _by_scenario())
    built = section(built, "Where the time goes", _stages())
    built = section(built, "Load", _load())
    return section(built, "What was not answered", _refusals())


def _glance() -> list[object]:
    return [
        number(
            "Requests",
            "Requests per second, whatever became of them.",
            or_zero(rate(REQUESTS, CHOSEN)),
            unit="reqps",
            decimals=1,
        ),
        number(
            "p95",
            "95 of 100 answered requests took no longer, over the time shown.",
            quantile(0.95, DURATION, ANSWERED, window=WHOLE),
            unit="s",
        ),
        number(
            "Documents ranked",
            "Documents ranked per second.",
            or_zero(rate("reranker_documents_total", CHOSEN)),
            unit="ops",
            decimals=0,
        ),
        number(
            "Failed",
            "The part of the requests that failed through the service's fault.",
            ratio(rate(REQUESTS, FAILED), rate(REQUESTS, CHOSEN)),
            unit="percentunit",
            decimals=2,
        ),
        number(
            "In the queue",
            "Accepted and not yet scored, in all pods.",
            or_zero(f"sum (reranker_queued_documents{{{CHOSEN}}})"),
        ),
        number(
            "Engines up",
            "The part of the pods whose engine is loaded and gets on.",
            f"avg (reranker_engine_up{{{CHOSEN}}})",
            unit="percentunit",
            decimals=0,
            steps=GOOD_AT_ONE,
        ),
    ]


def _by_documents() -> list[object]:
    panels: list[object] = [
        lines(
            f"{name} by documents",
            f"{name} of answered requests, by how many documents they brought.",
            [Query(quantile(q, DURATION, WITH_DOCUMENTS, by="documents"), "{{documents}}")],
            unit="s",
            span=8,
        )
        for name, q in QUANTILES
    ]
    table = f"{mean(DURATION, WITH_DOCUMENTS, by=f'documents, {SCENARIO}', window=WHOLE)} * 1000"
    p95 = f"{quantile(0.95, DURATION, WITH_DOCUMENTS, by=f'documents, {SCENARIO}', window=WHOLE)} * 1000"
    panels += [
        matrix(
            "Mean latency in ms: documents by backend and format",
            "The benchmark's table, read off the real traffic in the time shown.",
            _scenario_label(table),
            row="documents",
            column="scenario",
            unit="ms",
        ),
        matrix(
            "p95 latency in ms: documents by backend and format",
            "The same for the slowest twentieth.",
            _scenario_label(p95),
            row="documents",
            column="scenario",
            unit="ms",
        ),
    ]
    return panels


def _scenario_label(expression: str) -> str:
    """Backend and format in one label, which names a column."""
    return f'label_join({expression}, "scenario", " ", "backend", "instruction_format")'


def _by_scenario() -> list[object]:
    legend = "{{backend}} {{instruction_format}}"
    return [
        *(
            lines(
                f"{name} by backend and format",
                f"{name} of answered requests. Compare only what has the same mix of sizes.",
                [Query(quantile(q, DURATION, ANSWERED, by=SCENARIO), legend)],
                unit="s",
                span=8,
            )
            for name, q in QUANTILES
        ),
        heat(
            "Latency of all answered requests",
            "How many requests took how long: two bands mean two kinds of requests.",
            rate(f"{DURATION}_bucket", ANSWERED, by="le"),
            unit="s",
        ),
        lines(
            "p95 by reranker",
            "95 of 100 answered requests took no longer, by RerankerDeployment.",
            [Query(quantile(0.95, DURATION, ANSWERED, by="namespace, reranker"), "{{namespace}}/{{reranker}}")],
            unit="s",
        ),
    ]


def _stages() -> list[object]:
    stages = (
        ("tokenise", "reranker_tokenize_duration_seconds"),
        ("queue", "reranker_queue_duration_seconds"),
        ("engine", "reranker_engine_duration_seconds"),
    )
    return [
        lines(
            "Mean time by stage",
            "Building prompts, waiting for the engine, in the engine. What is missing to the whole latency is HTTP and "
            "JSON.",
            [Query(mean(metric, CHOSEN), stage) for stage, metric in stages],
            unit="s",
            stacked=True,
        ),
        lines(
            "p95 by stage",
            "The slowest twentieth of each stage; they need not be the same requests, so they don't add up.",
            [Query(quantile(0.95, metric, CHOSEN), stage) for stage, metric in stages],
            unit="s",
        ),
        _mean_and_p95(
            "Tokens per engine call",
            "Prompt tokens in one submission to the engine: small ones leave a GPU idle.",
            "reranker_batch_tokens",
        ),
        _mean_and_p95("Tokens per document", "Tokens kept of a document, after cutting.", "reranker_document_tokens"),
        _mean_and_p95("Documents per request", "How many documents a request brings.", "reranker_request_documents"),
    ]


def _mean_and_p95(title: str, description: str, histogram: str) -> object:
    queries = [Query(mean(histogram, CHOSEN), "mean"), Query(quantile(0.95, histogram, CHOSEN), "p95")]
    return lines(title, description, queries, span=8)


def _load() -> list[object]:
    return [
        lines(
            "Documents per second",
            "Documents ranked, by backend and format.",
            [
                Query(
                    or_zero(rate("reranker_documents_total", CHOSEN, by=SCENARIO), "backend"),
                    "{{backend}} {{instruction_format}}",
                )
            ],
            stacked=True,
        ),
        lines(
            "Requests per second by outcome",
            "invalid: the client's fault; refused: full or leaving; failed: ours; disconnected: the client went away.",
            [Query(or_zero(rate(REQUESTS, CHOSEN, by="outcome"), "outcome"), "{{outcome}}")],
            unit="reqps",
            stacked=True,
        ),
        lines(
            "Queued documents by pod",
            "Accepted and not yet scored, by pod. What the autoscaler looks at.",
            [Query(f"sum by (pod) (reranker_queued_documents{{{CHOSEN}}})", "{{pod}}")],
        ),
        lines(
            "Requests in flight by pod",
            "Being worked on, by pod. Unequal ones mean that clients keep their connections to old pods.",
            [Query(f"sum by (pod) (reranker_inflight_requests{{{CHOSEN}}})", "{{pod}}")],
        ),
        lines(
            "Tokens per second",
            "Of whole prompts, and of the documents alone. The difference is instruction, query and template.",
            [Query(or_zero(rate("reranker_tokens_total", CHOSEN, by="kind"), "kind"), "{{kind}}")],
        ),
        lines(
            "Truncated and repeated documents",
            "The part of the documents that was cut to fit, and that shared an equal one's score.",
            [
                Query(_part_of_documents("reranker_truncated_documents_total"), "truncated"),
                Query(_part_of_documents("reranker_deduplicated_documents_total"), "repeated"),
            ],
            unit="percentunit",
        ),
    ]


def _part_of_documents(metric: str) -> str:
    return ratio(rate(metric, CHOSEN), rate("reranker_documents_total", CHOSEN))


def _refusals() -> list[object]:
    return [
        lines(
            "Errors and refusals",
            "The part of all requests that failed through the service's fault, or that it had no room for.",
            [
                Query(ratio(rate(REQUESTS, FAILED), rate(REQUESTS, CHOSEN)), "failed"),
                Query(ratio(rate(REQUESTS, f'{CHOSEN}, outcome="refused"'), rate(REQUESTS, CHOSEN)), "refused"),
            ],
            unit="percentunit",
        ),
        lines(
            "Not answered, by reason",
            "Requests per second that ended in an error, by the error's code.",
            [Query(or_zero(rate("reranker_rejected_requests_total", CHOSEN, by="reason"), "reason"), "{{reason}}")],
            unit="reqps",
            stacked=True,
        ),
    ]
