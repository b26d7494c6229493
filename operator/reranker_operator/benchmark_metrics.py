"""The figures of all benchmarks as metrics, so that the table of backend, format and size is a panel of a dashboard.

They are made from the benchmarks' statuses whenever Prometheus asks, so a benchmark that was deleted leaves none.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Status = Mapping[str, Any]

_PREFIX = "reranker_operator_benchmark"
_CELL = ("namespace", "benchmark", "deployment", "backend", "instruction_format", "documents")
_SECONDS = {
    "mean": "Mean wall time of a request in a benchmark.",
    "p50": "Median wall time of a request in a benchmark.",
    "p95": "95th percentile of the wall time of a request in a benchmark.",
}
_COUNTS = {
    "samples": "Timed requests of a benchmark that were answered.",
    "errors": "Timed requests of a benchmark that were lost.",
}


class BenchmarkFigures(Collector):
    """What is known of each benchmark."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._known: dict[tuple[str, str], tuple[str, Status]] = {}
        registry.register(self)

    def put(self, namespace: str, name: str, deployment: str, status: Status) -> None:
        """Take over a benchmark's status."""
        self._known[namespace, name] = deployment, status

    def forget(self, namespace: str, name: str) -> None:
        """The benchmark is gone."""
        self._known.pop((namespace, name), None)

    def collect(self) -> Iterable[Metric]:
        """The metrics, as prometheus_client asks for them."""
        named = {f"{key}Ms": (f"{key}_seconds", text) for key, text in _SECONDS.items()}
        named |= {key: (key, text) for key, text in _COUNTS.items()}
        families = {
            key: GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=_CELL) for key, (name, text) in named.items()
        }
        phase = GaugeMetricFamily(
            f"{_PREFIX}_phase", "1 for the phase that a benchmark is in.", labels=[*_CELL[:3], "phase"]
        )
        for (namespace, name), (deployment, status) in self._known.items():
            phase.add_metric([namespace, name, deployment, status.get("phase", "Pending")], 1)
            for scenario in status.get("scenarios") or ():
                for cell in scenario.get("results") or ():
                    labels = [
                        namespace, name, deployment, scenario["backend"], scenario["instructionFormat"],
                        str(cell["documents"]),
                    ]  # fmt: skip
                    for key, family in families.items():
                        if (value := cell.get(key)) is not None:
                            family.add_metric(labels, value / 1000 if key.endswith("Ms") else value)
        return [*families.values(), phase]
