"""The keys of the configuration file: names, types, limits and defaults, section by section.

They are the one source of the file's checks, of what an error calls allowed, and of docs/configuration.md.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from reranker_service.scoring.prompts import InstructionFormat

BackendName = Literal["qwen3_vllm", "qwen3_vllm_score", "qwen3_packed"]
Dtype = Literal["auto", "float16", "bfloat16", "float32"]
Quantization = Literal["fp8"]

DEFAULT_INSTRUCTION = "Rank products by query with category & style match prioritized"

# These have a key of their own, or would change what a score means; given twice, one of the two would be ignored.
RESERVED_ENGINE_ARGS = frozenset(
    {
        "model", "model_name", "revision", "tokenizer", "tokenizer_revision", "tokenizer_mode", "skip_tokenizer_init",
        "runner", "convert", "task", "hf_overrides", "pooler_config", "logprobs_mode", "max_logprobs",
        "max_model_len", "dtype", "enforce_eager", "enable_prefix_caching", "tensor_parallel_size",
        "gpu_memory_utilization",
    }
)  # fmt: skip


class BackendKeys(BaseModel):
    """The keys of one block under `services.rerank.backends`; the same for every backend."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_name: Annotated[str, Field(min_length=1, description="Hub name, or an absolute path to a checkpoint")]
    revision: Annotated[str | None, Field(description="Hub commit, tag or branch")] = None
    max_model_len: Annotated[int, Field(ge=32, description="Most tokens of a whole prompt")] = 160
    infer_batch_size: Annotated[int, Field(ge=1, description="Most documents in one engine submission")] = 100
    sort_by_doc_length: Annotated[bool, Field(description="Score a request's documents longest first")] = True
    enable_prefix_caching: Annotated[
        bool,
        Field(
            description="Compute once what prompts begin with alike, and keep it for later ones (vLLM; `qwen3_packed` "
            "on a CPU). On a GPU `qwen3_packed` computes a request's head once, whatever is set"
        ),
    ] = True
    enforce_eager: Annotated[
        bool | None, Field(description="No graph capture and no compilation; unset: yes on a CPU, no on a GPU")
    ] = None
    dtype: Annotated[Dtype, Field(description="`auto`: float32 on a CPU, the checkpoint's own on a GPU")] = "auto"
    quantization: Annotated[
        Quantization | None,
        Field(
            description="`fp8`: products in 8-bit floats, faster and less exact. Only for `qwen3_packed` on a GPU of "
            "compute capability 8.9 or more, with `score_check.mode` enforce"
        ),
    ] = None
    tensor_parallel_size: Annotated[int, Field(ge=1, description="GPUs that share one model")] = 1
    gpu_memory_utilization: Annotated[
        float, Field(gt=0, le=1, description="Share of the GPU's memory that vLLM takes")
    ] = 0.20
    instruction: Annotated[
        str, Field(min_length=1, description="What relevant means, for requests that bring no instruction")
    ] = DEFAULT_INSTRUCTION
    instruction_format: Annotated[
        InstructionFormat,
        Field(description="`standard` is the model's official prompt; `compact` has the instruction as system message"),
    ] = "compact"
    engine_args: Annotated[dict[str, JsonValue], Field(description="Passed to vLLM's constructor as they are")] = {}

    @model_validator(mode="after")
    def _eight_bits_beside_sixteen(self) -> "BackendKeys":
        if self.quantization is not None and self.dtype not in {"auto", "bfloat16"}:
            raise ValueError(
                f"quantization is {self.quantization}, which computes the rest in bfloat16, but dtype is {self.dtype}: "
                "set dtype to auto, or leave quantization out"
            )
        return self

    @model_validator(mode="after")
    def _engine_args_are_free(self) -> "BackendKeys":
        taken = sorted(RESERVED_ENGINE_ARGS & self.engine_args.keys())
        if taken:
            raise ValueError(f"engine_args may not hold {', '.join(taken)}: set by the service or by a key of its own")
        return self


class ServerKeys(BaseModel):
    """The keys under `services.rerank.server`; all optional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1, description="Address to listen on")] = "0.0.0.0"  # noqa: S104 - a pod is reached from outside
    port: Annotated[int, Field(ge=0, le=65535, description="0: any free one")] = 8000
    max_documents: Annotated[int, Field(ge=1, description="Most documents of one request")] = 1000
    max_document_tokens: Annotated[
        int | None, Field(ge=1, description="Longer documents are cut to so many tokens; unset: what the prompt leaves")
    ] = None
    max_queued_documents: Annotated[int, Field(ge=1, description="Most documents accepted and not yet scored")] = 10000
    max_queued_tokens: Annotated[
        int | None,
        Field(ge=1, description="Most prompt tokens accepted and not yet scored; unset: the documents' limit alone"),
    ] = None
    max_body_bytes: Annotated[int, Field(ge=1024, description="Largest request body")] = 16 * 1024 * 1024
    request_timeout_s: Annotated[float, Field(gt=0, description="A request that takes longer is given up")] = 60.0
    connection_max_age_s: Annotated[
        float, Field(gt=0, description="Older connections are closed after a response, so that clients spread")
    ] = 300.0
    drain_accept_s: Annotated[float, Field(ge=0, description="How long SIGTERM leaves the door open")] = 3.0
    drain_timeout_s: Annotated[float, Field(ge=0, description="Then, how long accepted work may take")] = 30.0
    stall_timeout_s: Annotated[float, Field(gt=0, description="No engine step for so long, with work: not live")] = 10.0
    api_keys_file: Annotated[
        str | None,
        Field(min_length=1, description="File with one API key a line, read again when it changes; unset: no keys"),
    ] = None
    metrics_auth: Annotated[bool, Field(description="Whether /metrics needs an API key too")] = False
    termination_log: Annotated[
        str, Field(min_length=1, description="Where the reason of a failed start is left, if that can be written")
    ] = "/dev/termination-log"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Least severe records that are logged")
    ] = "info"
    log_format: Annotated[Literal["json", "text"], Field(description="One JSON object or one plain line a record")] = (
        "json"
    )

    @model_validator(mode="after")
    def _a_full_request_fits_the_queue(self) -> "ServerKeys":
        if self.max_documents > self.max_queued_documents:
            raise ValueError(
                f"max_queued_documents ({self.max_queued_documents}) is below max_documents ({self.max_documents}): "
                "a request of the allowed size could never be accepted"
            )
        return self

    @model_validator(mode="after")
    def _metrics_can_be_read(self) -> "ServerKeys":
        if self.metrics_auth and self.api_keys_file is None:
            raise ValueError("metrics_auth needs api_keys_file: without keys /metrics could not be read by anybody")
        return self


CheckMode = Literal["enforce", "warn", "off"]


class ScoreCheckKeys(BaseModel):
    """The keys under `services.rerank.score_check`; all optional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Annotated[
        CheckMode,
        Field(description="A failed check: `enforce` never turns ready, `warn` only says so; `off`: no check"),
    ] = "enforce"
    golden_set: Annotated[
        str | None,
        Field(min_length=1, description="File of pairs that must be ordered; unset: the model folder's golden.json"),
    ] = None
    baseline: Annotated[
        str | None, Field(min_length=1, description="File of earlier scores to compare with; it may be missing")
    ] = None
    max_drift: Annotated[float, Field(gt=0, description="Largest difference from the baseline, in log-odds")] = 0.25
