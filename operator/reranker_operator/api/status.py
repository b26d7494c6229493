"""The RerankerDeployment's status: what `kubectl get rrd` and alerts read."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel

ConditionType = Literal["Accepted", "Available", "Progressing", "ScoringVerified"]
ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(ApiModel):
    """One aspect of the present state, as all of Kubernetes writes it."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """Accepted (the spec is carried out), Available (traffic is served now), Progressing (a rollout is under way) or
    ScoringVerified (the pods have proved that they rank as they should)."""
    status: ConditionStatus
    """Whether it holds."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """Why, in one word of a closed list."""
    message: Annotated[str, StringConstraints(max_length=32768)]
    """Why, for people."""
    observed_generation: int = Field(json_schema_extra={"format": "int64"})
    """The generation of the spec that this was said of."""
    last_transition_time: str = Field(json_schema_extra={"format": "date-time"})
    """When `status` last changed."""


class ModelStatus(ApiModel):
    """The model of the spec that was last accepted."""

    name: str
    """Its name."""
    revision: str | None = None
    """Its revision, where the spec names one."""


class ScoringStatus(ApiModel):
    """What the pods of the present template found out about their scores; of several pods the worst figures."""

    checked_pods: int = Field(json_schema_extra={"format": "int32"})
    """How many pods have made the check."""
    failed_pods: int = Field(json_schema_extra={"format": "int32"})
    """How many of them failed it."""
    golden_set: str | None = None
    """The golden set's name."""
    golden_set_sha256: str | None = None
    """The SHA-256 of its file."""
    pairs: int | None = Field(default=None, json_schema_extra={"format": "int32"})
    """How many pairs of documents it orders."""
    violations: int | None = Field(default=None, json_schema_extra={"format": "int32"})
    """How many of them came out in the wrong order, or with too small a margin."""
    worst_margin: float | None = None
    """The least spare margin of a pair, in log-odds; negative exactly where one is violated."""
    baseline: str | None = None
    """The key of the ConfigMap NAME-baseline with the scores that these are compared with."""
    max_drift: float | None = None
    """The largest difference from the baseline in log-odds; absent where nothing was compared."""
    drift_limit: float | None = None
    """The largest difference that is allowed."""


class BestScenario(ApiModel):
    """The fastest scenario of a benchmark: the lowest mean for the largest number of documents that all have."""

    backend: str
    """Its backend."""
    instruction_format: str
    """Its prompt."""
    documents: int
    """The number of documents that was compared."""
    mean_ms: float
    """Its mean time for them in milliseconds."""
    summary: str
    """All of this in a few words, for tables."""


class TargetBenchmark(ApiModel):
    """The benchmark that is laid over the spec now, else the one that ended last."""

    name: str
    """The RerankerBenchmark."""
    overlay: str | None = None
    """While a scenario is measured in place: its backend and instruction format, which the pods serve instead of the
    spec's."""
    completion_time: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    """When that benchmark ended."""
    best: BestScenario | None = None
    """Its fastest scenario."""


class RerankerDeploymentStatus(ApiModel):
    """What the operator last saw."""

    observed_generation: int | None = Field(default=None, json_schema_extra={"format": "int64"})
    """The generation of the spec that this status belongs to."""
    replicas: int | None = Field(default=None, json_schema_extra={"format": "int32"})
    """How many pods there are."""
    ready_replicas: int | None = Field(default=None, json_schema_extra={"format": "int32"})
    """How many of them serve."""
    ready: str | None = None
    """Ready of wanted pods, such as 1/2."""
    selector: str | None = None
    """The pods' label selector, for autoscalers."""
    endpoint: str | None = None
    """The URL of the Service within the cluster."""
    model: ModelStatus | None = None
    """The model that is served."""
    scoring: ScoringStatus | None = None
    """What the pods found out about their scores."""
    benchmark: TargetBenchmark | None = None
    """The benchmark that is laid over the spec now, else the one that ended last."""
    conditions: list[Condition] | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """Accepted, Available, Progressing and ScoringVerified."""
