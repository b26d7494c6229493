"""The service's configuration: one YAML file, with environment variables on top.

The file keeps the layout of the benchmark this service grew from (`services.rerank.backends.<name>.<key>`), so that a
scenario is switched by changing one line. A variable `RERANKER_<KEY>` overrides the selected backend's key, and
`RERANKER_SERVER__<KEY>` one of the server's.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from reranker_service.config_file import BACKENDS_PATH, SERVER_PATH, ConfigError, read_yaml, split, suggest
from reranker_service.scoring.prompts import InstructionFormat

BackendName = Literal["qwen3_vllm", "qwen3_vllm_score", "qwen3_packed"]
Dtype = Literal["auto", "float16", "bfloat16", "float32"]

DEFAULT_BACKEND: BackendName = "qwen3_vllm_score"
DEFAULT_CONFIG = "/etc/reranker/config.yaml"
ENV_PREFIX = "RERANKER_"
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
    enable_prefix_caching: bool = True
    enforce_eager: Annotated[
        bool | None, Field(description="No graph capture and no compilation; unset: yes on a CPU, no on a GPU")
    ] = None
    dtype: Annotated[Dtype, Field(description="auto: float32 on a CPU, the checkpoint's own on a GPU")] = "auto"
    tensor_parallel_size: Annotated[int, Field(ge=1)] = 1
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.20
    instruction: Annotated[str, Field(min_length=1)] = DEFAULT_INSTRUCTION
    instruction_format: InstructionFormat = "compact"
    engine_args: Annotated[dict[str, JsonValue], Field(description="Passed to vLLM's constructor as they are")] = {}

    @model_validator(mode="after")
    def _engine_args_are_free(self) -> "BackendKeys":
        taken = sorted(RESERVED_ENGINE_ARGS & self.engine_args.keys())
        if taken:
            raise ValueError(f"engine_args may not hold {', '.join(taken)}: set by the service or by a key of its own")
        return self


class ServerKeys(BaseModel):
    """The keys under `services.rerank.server`; all optional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104 - a pod is reached from outside
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    max_documents: Annotated[int, Field(ge=1, description="Most documents of one request")] = 1000
    max_queued_documents: Annotated[int, Field(ge=1, description="Most documents accepted and not yet scored")] = 10000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    request_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    connection_max_age_s: Annotated[
        float, Field(gt=0, description="Older connections are closed after a response, so that clients spread")
    ] = 300.0
    drain_accept_s: Annotated[float, Field(ge=0, description="How long SIGTERM leaves the door open")] = 3.0
    drain_timeout_s: Annotated[float, Field(ge=0, description="Then, how long accepted work may take")] = 30.0
    stall_timeout_s: Annotated[float, Field(gt=0, description="No engine step for so long, with work: not live")] = 10.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _a_full_request_fits_the_queue(self) -> "ServerKeys":
        if self.max_documents > self.max_queued_documents:
            raise ValueError(
                f"max_queued_documents ({self.max_queued_documents}) is below max_documents ({self.max_documents}): "
                "a request of the allowed size could never be accepted"
            )
        return self


class Settings(BackendKeys, BaseSettings):
    """The selected backend's keys, the server's, and which backend it is."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    backend: BackendName = DEFAULT_BACKEND
    server: ServerKeys = ServerKeys()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose values come in as constructor arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings() -> Settings:
    """Read the file named by RERANKER_CONFIG and the environment.

    Without RERANKER_CONFIG a missing default file is no error as long as RERANKER_MODEL_NAME is set.

    Raises:
        ConfigError: with one line for each thing that is wrong.
    """
    path = Path(os.environ.get(f"{ENV_PREFIX}CONFIG") or DEFAULT_CONFIG)
    values: dict[str, Any] = {}
    backend = os.environ.get(f"{ENV_PREFIX}BACKEND")
    if path.exists() or f"{ENV_PREFIX}CONFIG" in os.environ or f"{ENV_PREFIX}MODEL_NAME" not in os.environ:
        sections = split(
            read_yaml(path),
            path,
            backend_names=get_args(BackendName),
            backend_keys=tuple(BackendKeys.model_fields),
            server_keys=tuple(ServerKeys.model_fields),
        )
        if sections.backend is not None:
            values["backend"] = sections.backend
            backend = backend or str(sections.backend)
        if sections.server:
            values["server"] = sections.server
        values.update(sections.blocks.pop(backend or DEFAULT_BACKEND, {}))
        _check_unselected(sections.blocks, path)
    try:
        return Settings(**values)
    except SettingsError as error:
        raise ConfigError([f"environment: {error} ({error.__cause__})"]) from error
    except ValidationError as error:
        raise ConfigError(_explain(error, path, backend or DEFAULT_BACKEND)) from error


def _check_unselected(blocks: dict[str, dict[str, Any]], path: Path) -> None:
    """A block that is not in use today is checked all the same, so that switching to it holds no surprise."""
    for name, block in blocks.items():
        try:
            BackendKeys.model_validate(block)
        except ValidationError as error:
            raise ConfigError(_explain(error, path, name, environment=False)) from error


def _explain(error: ValidationError, path: Path, backend: str, *, environment: bool = True) -> list[str]:
    return [_explain_one(detail, path, backend, environment=environment) for detail in error.errors()]


def _explain_one(detail: Any, path: Path, backend: str, *, environment: bool) -> str:
    location = [str(part) for part in detail["loc"]]
    variable = ENV_PREFIX + "__".join(location).upper()
    if location[:1] == ["server"]:
        key, known = f"{SERVER_PATH}.{'.'.join(location[1:])}", tuple(ServerKeys.model_fields)
    elif location[:1] == ["backend"]:
        key, known = "services.rerank.backend", ()
    else:
        key, known = f"{BACKENDS_PATH}.{backend}.{'.'.join(location)}", tuple(BackendKeys.model_fields)
    where = variable if environment and variable in os.environ else f"{path}: {key.rstrip('.')}"
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key. {suggest(location[-1], known)}"
    if detail["type"] == "missing":
        return f"{where}: missing; set it in the file or as {variable}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    if isinstance(detail["input"], str | int | float | bool):
        message += f" (it is {detail['input']!r})"
    return f"{where}: {message}"
