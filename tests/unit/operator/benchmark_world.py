"""A small world for a benchmark: its decisions are carried out on dicts, and the tests play the rest of the cluster."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.operator.builders import LOCAL_MODEL, make_settings

from reranker_operator.api.benchmark import RerankerBenchmarkSpec
from reranker_operator.benchmark_overlay import overlaid, target_status
from reranker_operator.benchmark_plan import Decision, Seen, decide, position_of
from reranker_operator.benchmark_status import stamp
from reranker_operator.names import BENCHMARK_LABEL, scenario_name

Object = dict[str, Any]

START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
FOUR = [
    {"backend": backend, "instructionFormat": instruction_format}
    for backend in ("qwen3_vllm", "qwen3_vllm_score")
    for instruction_format in ("compact", "standard")
]


def benchmark(name: str = "matrix", uid: str = "b1", **spec: Any) -> Object:
    """A RerankerBenchmark as the API server gives it, with these fields."""
    given = {"deploymentRef": {"name": "products"}, "scenarios": FOUR, "documents": [10, 20], "repeat": 3, **spec}
    whole = RerankerBenchmarkSpec.model_validate(given).as_object()
    metadata = {"name": name, "namespace": "shop", "uid": uid, "generation": 1, "creationTimestamp": stamp(START)}
    return {"apiVersion": "reranker.dev/v1alpha1", "kind": "RerankerBenchmark", "metadata": metadata, "spec": whole}


def reranker(name: str = "products", **spec: Any) -> Object:
    """A RerankerDeployment that serves."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": 1}
    whole = {"model": LOCAL_MODEL, "backend": "qwen3_vllm_score", "instructionFormat": "compact", **spec}
    made = {"apiVersion": "reranker.dev/v1alpha1", "kind": "RerankerDeployment", "metadata": metadata, "spec": whole}
    return {**made, "status": serving(1)}


def serving(generation: int, **more: Any) -> Object:
    """The status of a RerankerDeployment that is rolled out."""
    return {"observedGeneration": generation, "conditions": conditions(), **more}


def conditions(**changed: tuple[str, str]) -> list[Object]:
    """The conditions of one that serves, but for these."""
    states = {
        "Accepted": ("True", "SpecValid"),
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("False", "RolloutComplete"),
        **changed,
    }
    return [
        {"type": kind, "status": status, "reason": reason, "message": f"{reason} it is"}
        for kind, (status, reason) in states.items()
    ]


def message(samples: int = 3, sizes: tuple[int, ...] = (10, 20), mean: float = 100.0, **more: Any) -> str:
    """What the tool says at the end of a scenario."""
    cells = [
        {"n": n, "samples": samples, "lost": 0, "mean": mean * n, "stdev": 1.0, "p50": mean * n, "p95": 2.0, "p99": 3.0}
        for n in sizes
    ]
    return json.dumps({"schema_version": 2, "model": "tiny", "lost": 0, "interrupted": False, "cells": cells, **more})


class World:
    """What the cluster holds for one benchmark."""

    def __init__(self, resource: Object, target: Object | None = None, *others: Object) -> None:
        self.resource = resource
        self.target = target if target is not None else reranker()
        self.others = list(others)
        self.rerankers: dict[str, Object] = {}
        self.jobs: dict[str, Object] = {}
        self.pods: list[Object] = []
        self.target_pods: list[Object] = []
        self.now = START
        self.refusal: str | None = None
        self.made: list[str] = []

    def seen(self) -> Seen:
        name, position = self.resource["metadata"]["name"], position_of(self.resource)
        return Seen(
            resource=self.resource,
            target=self.target,
            benchmarks=[self.resource, *self.others],
            rerankers=list(self.rerankers.values()),
            job=self.jobs.get(scenario_name(name, position)) if position is not None else None,
            pods=self.pods,
            target_pods=self.target_pods,
            now=self.now,
            refusal=self.refusal,
        )

    def step(self, seconds: float = 1) -> Decision:
        """One pass, carried out; the operator then looks at the target, too."""
        decision = decide(self.seen(), make_settings())
        for manifest in decision.apply:
            name = manifest["metadata"]["name"]
            self.made.append(f"{manifest['kind']} {name}")
            metadata = {**manifest["metadata"], "uid": f"uid-{name}", "generation": 1}
            where = self.jobs if manifest["kind"] == "Job" else self.rerankers
            where[name] = {**manifest, "metadata": metadata}
        self.resource = {**self.resource, "status": dict(decision.status)}
        for existing in decision.delete:
            (self.jobs if existing["kind"] == "Job" else self.rerankers).pop(existing["metadata"]["name"])
        self.look_at_the_target()
        self.now += timedelta(seconds=seconds)
        return decision

    def look_at_the_target(self) -> None:
        """What the operator writes into the target's status once its pods serve what they should."""
        if self.target is not None:
            generation = self.target["metadata"]["generation"]
            more = target_status(self.target, [self.resource, *self.others])
            self.target = {**self.target, "status": serving(generation, **more)}

    def served(self) -> tuple[str, str]:
        """What the target's pods are to serve now: backend and format."""
        assert self.target is not None
        spec = overlaid(self.target, [self.resource, *self.others])["spec"]
        return spec["backend"], spec["instructionFormat"]

    def bring_up(self, **status: Any) -> None:
        """The temporary rerankers serve."""
        self.rerankers = {name: {**each, "status": {**serving(1), **status}} for name, each in self.rerankers.items()}

    def end_job(self, said: str | None, kind: str = "Complete", reason: str = "", text: str = "") -> None:
        """The last Job ends; its container said this, or its pod is gone."""
        name = list(self.jobs)[-1]
        condition = {"type": kind, "status": "True", "reason": reason, "message": text}
        self.jobs[name] = {**self.jobs[name], "status": {"conditions": [condition]}}
        self.pods = [] if said is None else [job_pod(name, said)]

    @property
    def status(self) -> Object:
        found: Object = self.resource["status"]
        return found

    def scenario(self, position: int) -> Object:
        found: Object = self.status["scenarios"][position]
        return found

    def run_scenario(self, said: str) -> None:
        """From Pending to its end, with a Job that says this."""
        jobs = len(self.jobs)
        for _ in range(5):
            self.step()
            self.bring_up()
            if len(self.jobs) > jobs:
                break
        self.end_job(said)
        self.step()


def job_pod(job: str, said: str) -> Object:
    """The pod of a Job that has ended."""
    reference = {"kind": "Job", "name": job, "uid": f"uid-{job}"}
    ended = {"name": "bench", "state": {"terminated": {"exitCode": 0, "message": said}}}
    labels = {BENCHMARK_LABEL: "matrix"}
    metadata = {"name": f"{job}-x", "labels": labels, "ownerReferences": [reference]}
    return {"kind": "Pod", "metadata": metadata, "spec": {}, "status": {"containerStatuses": [ended]}}
