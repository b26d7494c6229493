"""Finds a model's files: a folder on this machine, or a snapshot from the hub in the cache.

The service resolves the model once, before any engine is asked, so that all of them get a local folder, and a missing
model is told from a broken one.
"""

from pathlib import Path

from reranker_service.checkpoint_files import fault_of
from reranker_service.engines.protocol import Checkpoint, EngineLoadError
from reranker_service.hub import OnTransfer, fetch, is_commit
from reranker_service.scoring.tokenizer import PromptTokenizer, TokenizerError


def is_local(model_name: str) -> bool:
    """Whether a model's name is a path: hub names never start with a slash or a dot."""
    return model_name.startswith(("/", "./", "../"))


def resolve(model_name: str, revision: str | None, on_transfer: OnTransfer = lambda _: None) -> Checkpoint:
    """The model's files, downloaded if they are neither local nor cached; `on_transfer` is told how far that is.

    Raises:
        EngineLoadError: ModelNotFound or DownloadFailed, or ModelInvalid when files are missing or unusable.
    """
    path = Path(model_name) if is_local(model_name) else fetch(model_name, revision, on_transfer)
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


def _commit(path: Path) -> str | None:
    """The commit a snapshot folder of the hub's cache is named by."""
    return path.name if is_commit(path.name) else None
