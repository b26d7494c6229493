"""Finds a model's files: a folder on this machine, or a snapshot from the hub in the cache.

The service resolves the model once, before any engine is asked, so that all of them get a local folder, and a missing
model is told from a broken one.
"""

import logging
from pathlib import Path

from reranker_service.checkpoint_files import fault_of
from reranker_service.engines.protocol import Checkpoint, EngineLoadError
from reranker_service.scoring.tokenizer import PromptTokenizer, TokenizerError

log = logging.getLogger(__name__)

WANTED = ("*.json", "*.safetensors", "*.txt")
COMMIT_LENGTH = 40


def is_local(model_name: str) -> bool:
    """Whether a model's name is a path: hub names never start with a slash or a dot."""
    return model_name.startswith(("/", "./", "../"))


def resolve(model_name: str, revision: str | None) -> Checkpoint:
    """The model's files, downloaded if they are neither local nor cached.

    Raises:
        EngineLoadError: ModelNotFound, or ModelInvalid when files are missing or unusable.
    """
    path = Path(model_name) if is_local(model_name) else _download(model_name, revision)
    if not path.is_dir():
        raise EngineLoadError("ModelNotFound", f"model_name: {path} is not a directory")
    fault = fault_of(path)
    if fault is not None:
        raise EngineLoadError("ModelInvalid", fault)
    try:
        tokenizer = PromptTokenizer(path / "tokenizer.json")
    except TokenizerError as error:
        raise EngineLoadError("ModelInvalid", str(error)) from error
    return Checkpoint(name=model_name, revision=_commit(path) or revision, path=path, tokenizer=tokenizer)


def _download(model_name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - reads its environment when it is imported
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415

    log.info("looking for %s (revision %s) in the cache and on the hub", model_name, revision or "main")
    try:
        return Path(snapshot_download(model_name, revision=revision, allow_patterns=list(WANTED)))
    except HFValidationError as error:
        raise EngineLoadError("ModelNotFound", f"model_name: {error}") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        detail = " ".join(str(error).split())
        raise EngineLoadError(
            "ModelNotFound", f"model_name: {model_name} (revision {revision or 'main'}) could not be fetched: {detail}"
        ) from error


def _commit(path: Path) -> str | None:
    """The commit a snapshot folder of the hub's cache is named by."""
    is_commit = len(path.name) == COMMIT_LENGTH and all(c in "0123456789abcdef" for c in path.name)
    return path.name if is_commit else None
