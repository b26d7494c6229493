"""Lets processes that load side by side measure one after another, when all of them have loaded."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Wait until the file that `GO` names exists, then for the lock on the one that `TURN` names; both may be unset."""
    go, lock = os.environ.get("GO"), os.environ.get("TURN")
    while go and not Path(go).exists():
        time.sleep(0.2)
    with Path(lock or os.devnull).open("a", encoding="utf-8") as file:
        if lock:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
