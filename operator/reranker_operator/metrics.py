"""The operator's own metrics, in a registry of their own so that two operators in one process don't mix."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from reranker_operator.object_metrics import ObjectMetrics


class Metrics:
    """All of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.objects = ObjectMetrics(self.registry)
        self.reconciles = Counter(
            "reranker_operator_reconciles",
            "Passes over a custom resource, by its kind and by result.",
            ["kind", "result"],
            registry=self.registry,
        )
        self.reconcile_duration = Histogram(
            "reranker_operator_reconcile_duration_seconds",
            "Time of one pass, by the kind of resource.",
            ["kind"],
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "reranker_operator_queue_depth",
            "Custom resources that wait for a pass or are in one, by their kind.",
            ["kind"],
            registry=self.registry,
        )
        self.writes = Counter(
            "reranker_operator_writes",
            "Requests that write, by kind of object; none of them at rest.",
            ["kind"],
            registry=self.registry,
        )
        self.leader = Gauge(
            "reranker_operator_leader",
            "1 where this operator holds the Lease and works, 0 where it stands by.",
            registry=self.registry,
        )
        self.watch_age = Gauge(
            "reranker_operator_watch_age_seconds",
            "Time since the watch of a collection was last opened.",
            ["collection"],
            registry=self.registry,
        )
