"""The RerankerDeployment's spec: what a platform team writes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel, Opaque, above_zero, rule, with_rules
from reranker_operator.api.exposure import Expose, NetworkPolicy
from reranker_operator.api.model import Model
from reranker_operator.api.pods import PodTemplate
from reranker_operator.api.serving import Auth, Autoscaling, Limits, LocalObjectReference, Rollout, ScoreCheck

DEFAULT_INSTRUCTION = "Rank products by query with category & style match prioritized"

Backend = Literal["qwen3_vllm", "qwen3_vllm_score", "qwen3_packed"]
InstructionFormat = Literal["compact", "standard"]
DType = Literal["auto", "float16", "bfloat16", "float32"]
Quantization = Literal["fp8"]


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
    quantization: Quantization | None = None
    """fp8: matrix products in 8-bit floats, faster and less exact. For qwen3_packed only, on a GPU of compute
    capability 8.9 or more (L4, L40S, H100), with scoreCheck.mode enforce."""
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
    gpu_memory_utilization: float = Field(default=0.2, le=1.0, json_schema_extra=above_zero("gpuMemoryUtilization"))
    """The share of a GPU's memory that the engine takes for weights and cache. The default holds a 0.6B model on a
    card of 16 GiB; larger models need more."""
    extra_args: Opaque | None = None
    """Further arguments for vLLM's engine, by their Python names (block_size, max_num_seqs); handed on as they are."""


class RerankerDeploymentSpec(ApiModel):
    """The reranker to run."""

    model_config = with_rules(
        rule(
            "self.engine.tensorParallelSize <= (has(self.gpu) ? self.gpu.count : 1)",
            "engine.tensorParallelSize must not exceed gpu.count (1 without a GPU)",
        ),
        rule(
            "self.backend != 'qwen3_packed' || self.engine.tensorParallelSize == 1",
            "qwen3_packed runs on one GPU: engine.tensorParallelSize must be 1",
        ),
        rule(
            "!has(self.engine.quantization) || self.backend == 'qwen3_packed'",
            "engine.quantization is for qwen3_packed only: set backend to qwen3_packed, or leave quantization out",
        ),
        rule(
            "!has(self.engine.quantization) || self.scoreCheck.mode == 'enforce'",
            "engine.quantization needs scoreCheck.mode enforce: less exact scores are served only once checked",
        ),
        rule(
            "!has(self.engine.quantization) || has(self.gpu)",
            "engine.quantization needs a GPU: set gpu.type, or leave quantization out",
        ),
        rule(
            "!has(self.engine.quantization) || !has(self.engine.dtype) || self.engine.dtype in ['auto', 'bfloat16']",
            "engine.quantization fp8 computes the rest in bfloat16: leave engine.dtype out, or set it to bfloat16",
        ),
        rule(
            "!has(self.limits.maxDocumentTokens) || self.limits.maxDocumentTokens <= self.maxModelLen",
            "limits.maxDocumentTokens must not exceed maxModelLen, which prompt and document share",
        ),
    )

    backend: Backend = "qwen3_vllm_score"
    """How scores are computed: qwen3_vllm_score reads the yes/no logits in vLLM's pooling runner, qwen3_vllm generates
    one token and reads its log-probabilities, qwen3_packed scores a whole request in one forward pass."""
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
    autoscaling: Autoscaling | None = None
    """Has the number of pods follow the documents that wait: by KEDA where it is installed, else by a
    HorizontalPodAutoscaler. Either writes `replicas`; with replicas 0 both rest."""
    limits: Limits = Limits()
    """What the service accepts."""
    auth: Auth | None = None
    """Who may ask; without it everyone who reaches the Service."""
    score_check: ScoreCheck = ScoreCheck()
    """The proof that a pod ranks as it should, made before it takes requests."""
    rollout: Rollout = Rollout()
    """How pods are replaced when something changes."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Who may reach the pods."""
    expose: Expose | None = None
    """How it is reached from outside of the cluster; without it not at all."""
    image: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """The service's image; otherwise the operator's default for the GPU profile or for CPUs."""
    image_pull_secrets: list[LocalObjectReference] | None = Field(default=None, max_length=16)
    """Secrets with the registry's credentials, beside those of the operator's configuration."""
    pod_template: PodTemplate = PodTemplate()
    """What the pods get beside what the operator decides."""
