"""Fetches a model from the hub into the cache: once for all processes that share it, and telling how far it is.

Pods that start together would all download the same gigabytes. The first one locks the model in the cache, the others
wait for it and find everything there. How far it is gets read off the files in the cache, so those that wait know, too.
"""

import contextlib
import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from reranker_service.checkpoint_files import fault_of
from reranker_service.engines.protocol import EngineLoadError

log = logging.getLogger(__name__)

WANTED = ("*.json", "*.safetensors", "*.txt")
COMMIT_LENGTH = 40
LOOK_EVERY_S = 1.0
LOG_EVERY_S = 15.0
# A part of a file that was not written to for so long belongs to a process that was killed.
ABANDONED_S = 600.0
MIB = 2**20
NOT_ALLOWED = (401, 403)
ABSENT = (*NOT_ALLOWED, 404)


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far a download is, in bytes; `waits` where it is another process's."""

    done: int
    total: int
    waits: bool

    def __str__(self) -> str:
        """What the process does, for people: `downloads the model: 412 of 1192 MiB`."""
        doing = "waits for another process to download the model" if self.waits else "downloads the model"
        return f"{doing}: {self.done // MIB} of {-(-self.total // MIB)} MiB"


OnTransfer = Callable[[Transfer], None]


def is_commit(revision: str | None) -> bool:
    """Whether a revision will always be the same."""
    return revision is not None and len(revision) == COMMIT_LENGTH and set(revision) <= set("0123456789abcdef")


def fetch(name: str, revision: str | None, on_transfer: OnTransfer) -> Path:
    """The folder of a model's files in the cache; what is there already is not downloaded again.

    A commit that is whole in the cache is taken without a request. For a branch or tag the hub is asked what it is now,
    and where the hub can't be reached the cache says what it was.

    Args:
        name: the model's name on the hub.
        revision: commit, branch or tag; None for the newest.
        on_transfer: called every second while it is downloaded, from another thread.

    Raises:
        EngineLoadError: ModelNotFound where the hub has no such model or doesn't give it to us, else DownloadFailed.
    """
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415 - reads its environment when it is imported

    model = _HubModel(name, revision, on_transfer)
    try:
        with model.alone():
            return model.cached() or model.download()
    except HFValidationError as error:
        raise EngineLoadError("ModelNotFound", f"model_name: {error}") from error
    except Exception as error:  # the hub's client raises what its HTTP library raises, and that differs by version
        raise _failure(name, revision, error) from error


class _HubModel:
    """One model, and its place in the cache."""

    def __init__(self, name: str, revision: str | None, on_transfer: OnTransfer) -> None:
        from huggingface_hub import constants  # noqa: PLC0415 - as above

        self._name, self._revision = name, revision
        self._on_transfer = on_transfer
        folder = f"models--{name.replace('/', '--')}"
        self._blobs = Path(constants.HF_HUB_CACHE) / folder / "blobs"
        self._lock = Path(constants.HF_HUB_CACHE) / ".locks" / folder / "snapshot.lock"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process fetches the model. The lock ends with the process, however that ends."""
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            file = self._lock.open("a")
        except OSError as error:
            log.info("the cache can't be locked, nothing can be downloaded into it: %s", error)
            yield
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("another process fetches %s into the cache; waiting for it", self._name)
                with self._telling(waits=True):
                    fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                log.warning("the cache's file system knows no locks, so pods may download the same: %s", error)
            yield

    def cached(self) -> Path | None:
        """The files of a commit that is whole in the cache."""
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - as above

        if not is_commit(self._revision):
            return None
        try:
            found = snapshot_download(
                self._name, revision=self._revision, allow_patterns=list(WANTED), local_files_only=True
            )
        except OSError:
            return None
        return None if fault_of(Path(found)) else Path(found)

    def download(self) -> Path:
        """Download what the cache lacks."""
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - as above

        log.info("looking for %s (revision %s) on the hub", self._name, self._revision or "main")
        self._remove_abandoned()
        with self._telling(waits=False):
            return Path(snapshot_download(self._name, revision=self._revision, allow_patterns=list(WANTED)))

    @contextlib.contextmanager
    def _telling(self, *, waits: bool) -> Iterator[None]:
        """Tell how far the download is while the block runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._tell, args=(done, waits), name="download-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(LOOK_EVERY_S)

    def _tell(self, done: threading.Event, waits: bool) -> None:
        sizes = self._sizes()
        if sizes is None:
            return
        missing_at_first = sum(sizes.values()) - self._present(sizes)
        if not missing_at_first:
            return
        logged = time.monotonic()
        while not done.wait(LOOK_EVERY_S):
            transfer = Transfer(self._present(sizes), sum(sizes.values()), waits)
            self._on_transfer(transfer)
            if time.monotonic() - logged >= LOG_EVERY_S:
                log.info("%s %s", self._name, transfer)
                logged = time.monotonic()

    def _sizes(self) -> Mapping[str, int] | None:
        """The bytes of each wanted file by its name in the cache; None where the hub doesn't say."""
        from huggingface_hub import HfApi  # noqa: PLC0415 - as above

        try:
            info = HfApi().model_info(self._name, revision=self._revision, files_metadata=True)
        except Exception as error:  # noqa: BLE001 - the download itself tells what is wrong
            log.debug("how large %s is can't be told: %s", self._name, error)
            return None
        return {
            file.lfs.sha256 if file.lfs else file.blob_id or "": file.size or 0
            for file in info.siblings or ()
            if any(fnmatch(file.rfilename, pattern) for pattern in WANTED)
        }

    def _present(self, sizes: Mapping[str, int]) -> int:
        """How many of these bytes are in the cache."""
        found = dict.fromkeys(sizes, 0)
        for path in self._blobs.glob("*"):
            name = path.name.partition(".")[0]
            with contextlib.suppress(OSError):  # renamed or removed meanwhile
                if name in found:
                    found[name] = max(found[name], _written(path))
        return sum(min(size, sizes[name]) for name, size in found.items())

    def _remove_abandoned(self) -> None:
        """Remove the parts of files that killed processes left: nothing continues them, and they fill the volume."""
        for path in self._blobs.glob("*.*.incomplete"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    path.unlink()
                    log.info("removed %s, which a process that was killed has left in the cache", path.name)


def _written(path: Path) -> int:
    """How much of a file is there: one that is written in several places at once is as long as its last byte."""
    found = path.stat()
    return min(found.st_size, found.st_blocks * 512 or found.st_size)


def _failure(name: str, revision: str | None, error: Exception) -> EngineLoadError:
    from huggingface_hub import constants  # noqa: PLC0415 - as above
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415 - as above

    detail = " ".join(str(error).split()) or repr(error)
    response = error.response if isinstance(error, HfHubHTTPError) else None
    status = None if response is None else response.status_code
    if status in NOT_ALLOWED:
        detail += (
            "; a private or gated model needs a token that may read it: in HF_TOKEN, which comes from "
            "model.source.hub.tokenSecretRef of a RerankerDeployment"
        )
    reason = "ModelNotFound" if status in ABSENT or constants.HF_HUB_OFFLINE else "DownloadFailed"
    return EngineLoadError(reason, f"model_name: {name} (revision {revision or 'main'}) could not be fetched: {detail}")
