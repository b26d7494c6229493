"""What the builders of a benchmark's objects build from."""

from dataclasses import dataclass
from typing import Any

from reranker_operator.api.benchmark import RerankerBenchmarkSpec, Scenario
from reranker_operator.names import API_VERSION, BENCHMARK_KIND, scenario_name
from reranker_operator.settings import Settings


@dataclass(frozen=True)
class BenchmarkRun:
    """One RerankerBenchmark."""

    name: str
    namespace: str
    uid: str
    spec: RerankerBenchmarkSpec
    settings: Settings

    def scenario(self, position: int) -> Scenario:
        """The scenario at a position, counted from 0."""
        return self.spec.scenarios[position]

    def child_name(self, position: int) -> str:
        """What a scenario's Job and temporary reranker are called."""
        return scenario_name(self.name, position)

    def metadata(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        """The metadata of a child: its labels, and the owner with whom it is garbage-collected."""
        owner = {
            "apiVersion": API_VERSION,
            "kind": BENCHMARK_KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        return {"name": name, "namespace": self.namespace, "labels": labels, "ownerReferences": [owner]}
