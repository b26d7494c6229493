"""The RerankerBenchmark's spec: which scenarios of which reranker are measured, and how.

A benchmark is one run, as a Job is: what decides on its figures can't be changed once it is there, only how long it is
kept. The defaults are those of `reranker-bench run`.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel, Duration, Name, duration_between, rule, with_rules
from reranker_operator.api.deployment import Backend, InstructionFormat
from reranker_operator.api.model import RelativePath
from reranker_operator.api.pods import Resources, Toleration
from reranker_operator.api.serving import LocalObjectReference

DEFAULT_QUERY = "健身女生T恤短袖"
MOST_SIZES = 20
"""So many that a scenario's summary still fits into a termination message of 4096 bytes."""

Mode = Literal["Dedicated", "InPlace"]


class Scenario(ApiModel):
    """One way of scoring."""

    backend: Backend
    """The backend to measure."""
    instruction_format: InstructionFormat
    """The prompt to measure it with."""


class Warmup(ApiModel):
    """Requests before the timed ones."""

    requests: int = Field(default=3, ge=0, le=1000)
    """How many."""
    documents: int = Field(default=400, ge=1, le=100000)
    """The documents of each."""


class ConfigMapKey(ApiModel):
    """One key of a ConfigMap in the same namespace."""

    name: Name
    """The ConfigMap's name."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = "titles.txt"
    """The key within the ConfigMap."""


class TitlesOnVolume(ApiModel):
    """A file on a volume that is there already."""

    claim_name: Name
    """The PersistentVolumeClaim in the same namespace; it is mounted read-only."""
    path: Annotated[RelativePath, StringConstraints(min_length=1)] = "titles.txt"
    """The file within the volume."""


class Titles(ApiModel):
    """A file with one title a line; exactly one of the members."""

    model_config = with_rules(
        rule("has(self.configMap) != has(self.pvc)", "exactly one of configMap and pvc must be given")
    )

    config_map: ConfigMapKey | None = None
    """The file as a key of a ConfigMap."""
    pvc: TitlesOnVolume | None = None
    """The file on a PersistentVolumeClaim."""


class ResultsVolume(ApiModel):
    """A volume for the raw results."""

    claim_name: Name
    """A PersistentVolumeClaim in the same namespace that is there already; it outlives the benchmark."""
    path: RelativePath = ""
    """The folder within the volume; it is made where it is missing. Empty for the volume's root."""


class JobTemplate(ApiModel):
    """What the benchmark's own pods get beside what the operator decides."""

    node_selector: dict[str, str] | None = Field(default=None, max_length=64)
    """Labels that a node must have, such as those of nodes near the reranker's clients."""
    tolerations: list[Toleration] | None = Field(default=None, max_length=64)
    """Taints that the pods tolerate."""
    resources: Resources | None = None
    """Compute resources; by default 100m of a CPU are set aside, and memory is limited to 512Mi."""


def _kept(*fields: str) -> str:
    """A CEL rule that the fields are as they were."""
    return " && ".join(
        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
        for name in fields
    )


class RerankerBenchmarkSpec(ApiModel):
    """What to measure."""

    model_config = with_rules(
        rule(
            _kept(
                "deploymentRef", "mode", "scenarios", "documents", "repeat", "warmup", "seed", "query", "titles",
                "timeout", "concurrency", "scenarioTimeout", "gpuWaitTimeout", "results", "image", "imagePullSecrets",
                "job",
            ),
            "a benchmark can't be changed, except for ttlSecondsAfterFinished; delete it and create another one",
        )
    )  # fmt: skip

    deployment_ref: LocalObjectReference
    """The RerankerDeployment to measure, in the same namespace."""
    mode: Mode = "Dedicated"
    """Dedicated measures a temporary copy of the reranker for each scenario, one after another, and leaves the reranker
    itself alone; it needs room (a free GPU) for the copy. InPlace measures the reranker itself: as long as a scenario
    runs, its pods serve that scenario. Its spec is never touched, and with the benchmark done or deleted it is what its
    spec says."""
    scenarios: list[Scenario] = Field(
        default=[
            Scenario(backend=backend, instruction_format=instruction_format)
            for backend in ("qwen3_vllm", "qwen3_vllm_score")
            for instruction_format in ("compact", "standard")
        ],
        min_length=1,
        max_length=16,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "self.all(one, self.exists_one(other, other == one))",
                    "the same scenario is there twice",
                )
            ]
        },
    )
    """What is measured, one after another. A scenario that fails is recorded, and the next one runs."""
    documents: list[Annotated[int, Field(ge=1, le=100000)]] = Field(
        default=[100, 200, 400, 600, 800, 1000],
        min_length=1,
        max_length=MOST_SIZES,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule("self.all(one, self.exists_one(other, other == one))", "the same number is there twice")
            ]
        },
    )
    """The numbers of documents a request, measured in this order."""
    repeat: int = Field(default=5, ge=1, le=1000)
    """How many timed requests for each number of documents."""
    warmup: Warmup = Warmup()
    """Requests before the timed ones, not timed."""
    seed: int = Field(default=99, ge=0, le=2147483647)
    """Of the draws of titles: equal seeds, equal requests."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = DEFAULT_QUERY
    """The query of every request."""
    titles: Titles | None = None
    """The documents; by default titles that the benchmark has built in."""
    timeout: Duration = Field(default="360s", json_schema_extra=duration_between("1s", "1h", "timeout"))
    """How long one request may take before it counts as lost, such as 360s."""
    concurrency: int = Field(default=1, ge=1, le=256)
    """How many requests are under way at once."""
    scenario_timeout: Duration = Field(
        default="1h", json_schema_extra=duration_between("10s", "24h", "scenarioTimeout")
    )
    """How long one scenario may take, the start of the reranker included; what isn't done by then has failed."""
    gpu_wait_timeout: Duration = Field(default="5m", json_schema_extra=duration_between("0s", "24h", "gpuWaitTimeout"))
    """How long a scenario waits for a free GPU before it fails with NoFreeGPU. Where nodes are added on demand, give
    them time for it."""
    ttl_seconds_after_finished: int | None = Field(default=None, ge=0, le=31536000)
    """Delete the benchmark, its Jobs and their logs so many seconds after its end; without it they stay."""
    results: ResultsVolume | None = None
    """Where the raw results are written as files; by default they stand in the log of each scenario's Job."""
    image: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """The benchmark's image; otherwise the operator's default."""
    image_pull_secrets: list[LocalObjectReference] | None = Field(default=None, max_length=16)
    """Secrets with the registry's credentials, beside those of the operator's configuration."""
    job: JobTemplate = JobTemplate()
    """What the benchmark's own pods get beside what the operator decides."""
