"""The Prometheus metrics, in a registry of their own per application.

`backend` and `instruction_format` are constants of a process; they are added to every sample when it is read, so that
the code that counts need not carry them. No label takes its value from a request.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from reranker_service.bulk_histogram import BulkHistogram
from reranker_service.score_check.check import Report

LATENCY_BUCKETS = (
    0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
    0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0,
)  # fmt: skip
STAGE_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DOCUMENT_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 400, 600, 800, 1000, 2000)
DOCUMENT_TOKEN_BUCKETS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
BATCH_TOKEN_BUCKETS = (64, 256, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
# vLLM's own metrics.
ENGINE_PREFIX = "vllm:"
DOCUMENT_RANGES = (
    (100, "1-100"),
    (200, "101-200"),
    (400, "201-400"),
    (600, "401-600"),
    (800, "601-800"),
    (1000, "801-1000"),
)


def documents_label(documents: int | None) -> str:
    """The range a request's number of documents falls in; `none` when it never got so far as to be counted."""
    if not documents:
        return "none"
    return next((label for most, label in DOCUMENT_RANGES if documents <= most), "1001+")


@dataclass(frozen=True, eq=False)
class _PassedThrough(Collector):
    """What a library counts in the process's own registry, as it is, by the prefix of its names."""

    prefix: str

    def collect(self) -> Iterator[Metric]:
        """Read the process's registry now."""
        for metric in REGISTRY.collect():
            if metric.name.startswith(self.prefix):
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
                yield metric


@dataclass(frozen=True, eq=False)
class _WithConstants(Collector):
    """Another registry's metrics with constant labels on each sample, and without creation times."""

    inner: CollectorRegistry
    constants: dict[str, str]

    def collect(self) -> Iterator[Metric]:
        """Read the inner registry now."""
        for metric in self.inner.collect():
            metric.samples = [
                Sample(sample.name, {**self.constants, **sample.labels}, *sample[2:])
                for sample in metric.samples
                if not sample.name.endswith("_created")
            ]
            yield metric


class Metrics:
    """Every metric of one application. `registry` is what `/metrics` shows."""

    def __init__(self, *, backend: str, instruction_format: str) -> None:
        inner = self._inner = CollectorRegistry()
        self.registry = CollectorRegistry()
        self.registry.register(_WithConstants(inner, {"backend": backend, "instruction_format": instruction_format}))
        ProcessCollector(registry=self.registry)
        self.registry.register(_PassedThrough(ENGINE_PREFIX))

        def histogram(name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
            return Histogram(f"reranker_{name}", text, labels, buckets=buckets, registry=inner)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"reranker_{name}", text, labels, registry=inner)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"reranker_{name}", text, labels, registry=inner)

        self.request_duration = histogram(
            "request_duration_seconds",
            "From a request's arrival to its last byte sent",
            LATENCY_BUCKETS,
            ("route", "outcome", "documents"),
        )
        self.queue_duration = histogram(
            "queue_duration_seconds", "From queueing to the first engine call, per request", STAGE_BUCKETS
        )
        self.tokenize_duration = histogram("tokenize_duration_seconds", "Building a request's prompts", STAGE_BUCKETS)
        self.engine_duration = histogram(
            "engine_duration_seconds", "From the first engine call to the last answer, per request", STAGE_BUCKETS
        )
        self.request_documents = histogram("request_documents", "Documents per request", DOCUMENT_BUCKETS)
        self.document_tokens = BulkHistogram(
            "reranker_document_tokens", "Tokens kept of a document", buckets=DOCUMENT_TOKEN_BUCKETS, registry=inner
        )
        self.batch_tokens = histogram("batch_tokens", "Prompt tokens per engine call", BATCH_TOKEN_BUCKETS)
        self.documents = counter("documents_total", "Documents ranked, duplicates included")
        self.tokens = counter("tokens_total", "Tokens scored, of whole prompts and of documents alone", ("kind",))
        self.truncated_documents = counter("truncated_documents_total", "Documents that were cut to fit")
        self.deduplicated_documents = counter(
            "deduplicated_documents_total", "Documents that shared the score of an equal one"
        )
        self.rejected_requests = counter("rejected_requests_total", "Requests that were not answered", ("reason",))
        self.queued_documents = gauge("queued_documents", "Documents accepted and not yet scored")
        self.inflight_requests = gauge("inflight_requests", "Requests being worked on")
        self.engine_up = gauge("engine_up", "1 while the engine is loaded and gets on")
        self.build_info = gauge("build_info", "Always 1; what runs here", ("model", "version", "engine_version"))

    def show_score_check(self, report: Report) -> None:
        """Add gauges for what was checked; what was not has none, so that no alert takes it for a failure."""
        order = report.order
        shown: dict[str, tuple[str, float | None]] = {
            "passed": ("1 when the golden set is in order and nothing drifted, else 0", _passed(report)),
            "violations": ("Pairs of the golden set that are not in order", order.violations if order else None),
            "worst_margin": (
                "Least lead of a better document beyond its margin, in log-odds",
                order.worst_margin if order else None,
            ),
            "max_drift": ("Largest difference from the baseline, in log-odds", report.baseline.max_drift),
        }
        for name, (text, value) in shown.items():
            if value is not None:
                Gauge(f"reranker_score_check_{name}", text, registry=self._inner).set(value)


def _passed(report: Report) -> float | None:
    return {"passed": 1.0, "failed": 0.0}.get(report.status)
