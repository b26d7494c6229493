"""The RerankerBenchmark's status: the figures, and how far it has come. It is also the operator's only memory of it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel
from reranker_operator.api.status import BestScenario, Condition

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]
ScenarioPhase = Literal["Pending", "Preparing", "Measuring", "Succeeded", "Failed"]


class SizeResult(ApiModel):
    """The timed requests with one number of documents; wall times as the client saw them, in milliseconds."""

    documents: int
    """The number of documents a request."""
    samples: int
    """How many requests were answered; only they have times."""
    errors: int
    """How many were lost: no answer, an error, or one that doesn't rank every document."""
    mean_ms: float | None = None
    """The mean."""
    stdev_ms: float | None = None
    """The standard deviation of the sample."""
    p50_ms: float | None = None
    """The median."""
    p95_ms: float | None = None
    """The 95th percentile."""
    p99_ms: float | None = None
    """The 99th percentile."""


class ScenarioStatus(ApiModel):
    """One scenario: how far it has come and what it gave."""

    backend: str
    """Its backend."""
    instruction_format: str
    """Its prompt."""
    phase: ScenarioPhase
    """Pending, Preparing (its reranker starts), Measuring, Succeeded or Failed."""
    reason: str | None = None
    """Why it failed, or what it waits for, in one word."""
    message: str | None = None
    """The same for people, or what must be known beside the figures."""
    start_time: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    """When its reranker was asked for."""
    measuring_time: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    """When its Job was made."""
    completion_time: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    """When it ended."""
    target_generation: int | None = Field(default=None, json_schema_extra={"format": "int64"})
    """The generation of the reranker that was measured."""
    job: str | None = None
    """Its Job. Its log holds the table and, without a results volume, the raw results."""
    raw_results: str | None = None
    """Where the raw results lie: a file on the results volume, or the Job's log."""
    model: str | None = None
    """The model that was measured, as the reranker names it."""
    samples: int | None = None
    """How many timed requests were answered."""
    errors: int | None = None
    """How many requests were lost, warm-ups included."""
    sizes_left_out: int | None = None
    """How many of the numbers of documents are missing here since the summary had no room for them."""
    results: list[SizeResult] | None = Field(default=None, max_length=20)
    """The figures, by number of documents."""


class BenchmarkCondition(Condition):
    """One aspect of the present state, as all of Kubernetes writes it."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """Finished (nothing more will happen) or Succeeded (every scenario gave all its samples)."""


class RerankerBenchmarkStatus(ApiModel):
    """What the operator last saw, and all it knows of the benchmark."""

    observed_generation: int | None = Field(default=None, json_schema_extra={"format": "int64"})
    """The generation of the spec that this status belongs to."""
    phase: Phase | None = None
    """Pending, Running, Succeeded (every scenario gave all its samples) or Failed (at least one did not)."""
    done: str | None = None
    """Ended scenarios of all, such as 2/4."""
    samples: str | None = None
    """Answered of wanted timed requests, such as 120/120."""
    start_time: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    """When the first scenario began."""
    completion_time: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    """When the last one ended."""
    best: BestScenario | None = None
    """The fastest scenario so far."""
    scenarios: list[ScenarioStatus] | None = Field(default=None, max_length=16)
    """The scenarios in the order of the spec."""
    conditions: list[BenchmarkCondition] | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """Finished and Succeeded."""
