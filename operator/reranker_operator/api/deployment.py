"""The RerankerDeployment's spec: what a platform team writes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel, Duration, Name, Opaque, duration_between, rule, with_rules
from reranker_operator.api.model import Model
from reranker_operator.api.pods import PodTemplate

DEFAULT_INSTRUCTION = "Rank products by query with category & style match prioritized"

Backend = Literal["qwen3_vllm", "qwen3_vllm_score"]
InstructionFormat = Literal["compact", "standard"]
DType = Literal["auto", "float16", "bfloat16", "float32"]


class Gpu(ApiModel):
    """The GPUs of one pod."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    """The name of a GPU profile of the operator's configuration, such as t4, l4 or h100. It decides on the resource,
    node selector, tolerations and data type."""
    count: int = Field(default=1, ge=1, le=16)
    """How many GPUs each pod gets."""


class Engine(ApiModel):
    """Settings of the engine that computes the scores."""

    dtype: DType | None = None
    """The data type of weights and activations; otherwise that of the GPU profile."""
    infer_batch_size: int = Field(default=100, ge=1, le=10000)
    """How many documents at most go to the engine in one submission."""
    sort_by_doc_length: bool = True
    """Whether documents are sorted by length before they are split into submissions. Invisible in answers."""
    enable_prefix_caching: bool = True
    """Whether the engine computes what the documents of a request share only once."""
    enforce_eager: bool | None = None
    """Whether the engine does without compiled graphs: it starts faster and scores more slowly. By default it does
    without on a CPU and not on a GPU."""
    tensor_parallel_size: int = Field(default=1, ge=1, le=16)
    """Over how many GPUs the model is split; at most gpu.count."""
    gpu_memory_utilization: float = Field(default=0.2, ge=0.01, le=1.0)
    """The share of a GPU's memory that the engine takes for weights and cache. The default holds a 0.6B model on a
    card of 16 GiB; larger models need more."""
    extra_args: Opaque | None = None
    """Further arguments for vLLM's engine, by their Python names (block_size, max_num_seqs); handed on as they are."""


class Limits(ApiModel):
    """What the service accepts."""

    model_config = with_rules(
        rule(
            "self.maxQueuedDocuments >= self.maxDocuments",
            "maxQueuedDocuments must be at least maxDocuments, or the largest request is never accepted",
        )
    )

    max_documents: int = Field(default=1000, ge=1, le=100000)
    """The most documents in one request; a larger one is refused."""
    max_queued_documents: int = Field(default=10000, ge=1, le=10000000)
    """The most documents that wait in one pod; a request beyond that is answered with 429."""
    max_body_bytes: int = Field(default=16777216, ge=1024, le=1073741824)
    """The largest body of a request in bytes; a larger one is answered with 413."""
    request_timeout: Duration = Field(default="60s", json_schema_extra=duration_between("1s", "1h", "requestTimeout"))
    """How long a request may take before it is answered with an error, such as 60s."""


class Rollout(ApiModel):
    """How pods are replaced."""

    strategy: Literal["Surge", "InPlace"] = "Surge"
    """Surge starts a new pod before an old one goes (needs a spare GPU); InPlace ends an old pod first."""
    drain_timeout: Duration = Field(default="30s", json_schema_extra=duration_between("1s", "30m", "drainTimeout"))
    """How long a pod that ends may take to finish the requests that it has accepted, such as 30s."""


class LocalObjectReference(ApiModel):
    """Another object in the same namespace."""

    name: Name
    """The object's name."""


class RerankerDeploymentSpec(ApiModel):
    """The reranker to run."""

    model_config = with_rules(
        rule(
            "self.engine.tensorParallelSize <= (has(self.gpu) ? self.gpu.count : 1)",
            "engine.tensorParallelSize must not exceed gpu.count (1 without a GPU)",
        )
    )

    backend: Backend = "qwen3_vllm_score"
    """How scores are computed: qwen3_vllm_score reads the yes/no logits in vLLM's pooling runner, qwen3_vllm generates
    one token and reads its log-probabilities."""
    instruction_format: InstructionFormat = "compact"
    """The prompt: standard is the model's official one, compact puts the instruction in the place of its longer system
    prompt and is faster."""
    instruction: Annotated[str, StringConstraints(min_length=1, max_length=4096)] = DEFAULT_INSTRUCTION
    """What makes a document relevant, in a sentence; a request may bring its own."""
    max_model_len: int = Field(default=160, ge=64, le=40960)
    """The most tokens of prompt and document together. Longer documents are cut, and the answer says so."""
    model: Model
    """The model to serve."""
    gpu: Gpu | None = None
    """The GPUs of each pod; without it the reranker runs on CPUs."""
    engine: Engine = Engine()
    """Settings of the engine that computes the scores."""
    replicas: int = Field(default=1, ge=0, json_schema_extra={"format": "int32"})
    """How many pods serve. Written by autoscalers through the scale subresource; 0 stops all of them."""
    limits: Limits = Limits()
    """What the service accepts."""
    rollout: Rollout = Rollout()
    """How pods are replaced when something changes."""
    image: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """The service's image; otherwise the operator's default for the GPU profile or for CPUs."""
    image_pull_secrets: list[LocalObjectReference] | None = Field(default=None, max_length=16)
    """Secrets with the registry's credentials, beside those of the operator's configuration."""
    pod_template: PodTemplate = PodTemplate()
    """What the pods get beside what the operator decides."""
