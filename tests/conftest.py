"""Fixtures that several suites share."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WEIGHTS = Path(__file__).parents[1] / "tiny" / "weights"


def pytest_configure() -> None:
    """Undo what `nohup` and a shell's background jobs leave behind: programs that are started with SIGINT ignored go
    on ignoring it, and the tests that press Ctrl-C would wait for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The demonstration model as a complete checkpoint folder, assembled once per state of its weights.

    RERANKER_TEST_MODEL names another Qwen3 checkpoint to test with.
    """
    other = os.environ.get("RERANKER_TEST_MODEL")
    if other:
        return Path(other)
    digest = hashlib.sha256()
    for file in sorted(WEIGHTS.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "reranker-operator" / "tiny" / digest.hexdigest()[:16]
    if not (folder / "config.json").is_file():
        subprocess.run([sys.executable, "-m", "reranker_tiny", "assemble", "--output", str(folder)], check=True)
    return folder
