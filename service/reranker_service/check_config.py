"""`reranker-service check-config`: says what is wrong with a configuration, or what it comes to, and serves nothing."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from reranker_service.config_file import ConfigError
from reranker_service.score_check.files import GoldenSetError, read_golden_set
from reranker_service.settings import BackendKeys, Settings, load_settings, unread_variables

# Names of engine arguments whose values are nobody's business, such as hf_token; max_num_batched_tokens is none.
_SECRET = re.compile(r"(token|secret|password|api_key)$")


def check_config(path: Path | None) -> int:
    """Print each problem of the file (None: the one that would be served with) to standard error, or the result.

    Returns:
        The exit code: 2 when there is a problem.
    """
    try:
        settings = load_settings(path)
        _check_golden_set(settings)
    except ConfigError as error:
        for problem in error.problems:
            print(f"configuration error: {problem}", file=sys.stderr)
        return 2
    for name in unread_variables(os.environ):
        print(f"note: the variable {name} sets nothing", file=sys.stderr)
    for key, file in _files(settings).items():
        if file is not None and not Path(file).exists():
            print(f"note: services.rerank.{key}: {file} is not on this machine", file=sys.stderr)
    print(yaml.safe_dump(effective(settings), allow_unicode=True, sort_keys=False, width=120), end="")
    return 0


def effective(settings: Settings) -> dict[str, Any]:
    """The configuration with every default and variable in it, in the file's layout, without secrets."""
    values = settings.model_dump(mode="json")
    block = {key: values[key] for key in BackendKeys.model_fields}
    block["engine_args"] = {
        key: "(hidden)" if _SECRET.search(key) else value for key, value in block["engine_args"].items()
    }
    rerank = {
        "backend": settings.backend,
        "backends": {settings.backend: block},
        "server": values["server"],
        "score_check": values["score_check"],
    }
    return {"services": {"rerank": rerank}}


def _files(settings: Settings) -> dict[str, str | None]:
    return {
        "server.api_keys_file": settings.server.api_keys_file,
        "score_check.golden_set": settings.score_check.golden_set,
    }


def _check_golden_set(settings: Settings) -> None:
    file = settings.score_check.golden_set
    if file is None or not Path(file).exists():
        return
    try:
        read_golden_set(Path(file))
    except GoldenSetError as error:
        raise ConfigError([f"services.rerank.score_check.golden_set: {error}"]) from error
