"""The service's configuration: one YAML file, with environment variables on top.

The file keeps the layout of the benchmark this service grew from (`services.rerank.backends.<name>.<key>`), so that a
scenario is switched by changing one line. A variable `RERANKER_<KEY>` overrides the selected backend's key, and
`RERANKER_SERVER__<KEY>` or `RERANKER_SCORE_CHECK__<KEY>` one of a section's.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from reranker_service.config_errors import Source
from reranker_service.config_file import BACKENDS_PATH, ConfigError, read_yaml, split
from reranker_service.settings_models import (
    DEFAULT_INSTRUCTION,
    RESERVED_ENGINE_ARGS,
    BackendKeys,
    BackendName,
    CheckMode,
    Dtype,
    ScoreCheckKeys,
    ServerKeys,
)

__all__ = [
    "DEFAULT_BACKEND",
    "DEFAULT_CONFIG",
    "DEFAULT_INSTRUCTION",
    "ENV_PREFIX",
    "RESERVED_ENGINE_ARGS",
    "SECTIONS",
    "BackendKeys",
    "BackendName",
    "CheckMode",
    "Dtype",
    "ScoreCheckKeys",
    "ServerKeys",
    "Settings",
    "load_settings",
    "unread_variables",
]

DEFAULT_BACKEND: BackendName = "qwen3_vllm_score"
DEFAULT_CONFIG = "/etc/reranker/config.yaml"
ENV_PREFIX = "RERANKER_"
QUANTIZING_BACKEND: BackendName = "qwen3_packed"
_SERVICE_VARIABLE = re.compile(r"_SERVICE_(HOST|PORT)|_PORT(_\d+_|$)")
# The sections of the file beside the backends' blocks.
SECTIONS: dict[str, type[BaseModel]] = {"server": ServerKeys, "score_check": ScoreCheckKeys}


class Settings(BackendKeys, BaseSettings):
    """The selected backend's keys, the sections', and which backend it is."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    backend: Annotated[BackendName, Field(description="Which block of `backends` is used")] = DEFAULT_BACKEND
    server: ServerKeys = ServerKeys()
    score_check: ScoreCheckKeys = ScoreCheckKeys()

    @model_validator(mode="after")
    def _rough_scores_are_checked(self) -> "Settings":
        problem = _quantization_problem(self, self.backend)
        if problem is None and self.quantization is not None and self.score_check.mode != "enforce":
            problem = (
                f"quantization is {self.quantization}, whose scores must be checked before they are served, but "
                f"score_check.mode is {self.score_check.mode}: set that to enforce, or leave quantization out"
            )
        if problem is not None:
            raise ValueError(problem)
        return self

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


def load_settings(path: Path | None = None) -> Settings:
    """Read `path`, else the file named by RERANKER_CONFIG, and the environment.

    Without either a missing default file is no error as long as RERANKER_MODEL_NAME is set.

    Raises:
        ConfigError: with one line for each thing that is wrong.
    """
    named = path is not None or f"{ENV_PREFIX}CONFIG" in os.environ
    path = path or Path(os.environ.get(f"{ENV_PREFIX}CONFIG") or DEFAULT_CONFIG)
    values: dict[str, Any] = {}
    backend = os.environ.get(f"{ENV_PREFIX}BACKEND")
    problems: list[str] = []
    if named or path.exists() or f"{ENV_PREFIX}MODEL_NAME" not in os.environ:
        document = split(
            read_yaml(path),
            path,
            backend_names=get_args(BackendName),
            backend_keys=tuple(BackendKeys.model_fields),
            sections={name: tuple(model.model_fields) for name, model in SECTIONS.items()},
        )
        if document.backend is not None:
            values["backend"] = document.backend
            backend = backend or str(document.backend)
        values.update({name: section for name, section in document.sections.items() if section})
        values.update(document.blocks.pop(backend or DEFAULT_BACKEND, {}))
        problems += _problems_of_unselected(document.blocks, path)
    try:
        settings = Settings(**values)
    except SettingsError as error:
        raise ConfigError([*problems, f"environment: {error} ({error.__cause__})"]) from error
    except ValidationError as error:
        source = Source(path, backend or DEFAULT_BACKEND, SECTIONS, BackendKeys, ENV_PREFIX)
        raise ConfigError(source.explain(error) + problems) from error
    if problems:
        raise ConfigError(problems)
    return settings


def unread_variables(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and set nothing, a mistyped one perhaps.

    They can't be errors: Kubernetes makes variables such as RERANKER_PORT_8000_TCP for a service named `reranker`.
    """
    known = {f"{ENV_PREFIX}CONFIG", *(f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields)}
    known |= {
        f"{ENV_PREFIX}{section}__{key}".upper() for section, model in SECTIONS.items() for key in model.model_fields
    }
    ours = (name for name in environ if name.startswith(ENV_PREFIX) and name not in known)
    return sorted(name for name in ours if not _SERVICE_VARIABLE.search(name))


def _problems_of_unselected(blocks: dict[str, dict[str, Any]], path: Path) -> list[str]:
    """A block that is not in use today is checked all the same, so that switching to it holds no surprise."""
    problems: list[str] = []
    for name, block in blocks.items():
        try:
            problem = _quantization_problem(BackendKeys.model_validate(block), name)
        except ValidationError as error:
            problems += Source(path, name, SECTIONS, BackendKeys, None).explain(error)
        else:
            problems += [] if problem is None else [f"{path}: {BACKENDS_PATH}.{name}: {problem}"]
    return problems


def _quantization_problem(keys: BackendKeys, backend: str) -> str | None:
    """Why a backend can't have the quantization that its keys ask for."""
    if keys.quantization is None or backend == QUANTIZING_BACKEND:
        return None
    return (
        f"quantization is {keys.quantization}, which only {QUANTIZING_BACKEND} computes: leave it out, or set backend "
        f"to {QUANTIZING_BACKEND}"
    )
