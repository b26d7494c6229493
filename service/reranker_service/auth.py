"""API keys from a file, which may change while the process runs.

Kubernetes updates a mounted Secret by swapping a symbolic link, so that the file's identity changes, not only its
content. Whoever rotates keys lists the old and the new one until all clients have changed.
"""

import hashlib
import hmac
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

SCHEME = "bearer"
Identity = tuple[int, int, int, int]


class KeyFile:
    """The keys in a file, one a line; empty lines and white space around a key don't count.

    A file without keys, or that can't be read, lets nobody in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: Identity | None = None
        self._fault: str | None = None
        self._digests: tuple[bytes, ...] = ()
        self._refresh()

    def accepts(self, authorization: str) -> bool:
        """Whether the value of an Authorization header carries one of the keys.

        Takes the same time whichever key it is, and however much of one is right.
        """
        self._refresh()
        scheme, _, key = authorization.partition(" ")
        given = _digest(key.strip())
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == SCHEME and any(matches)

    def _refresh(self) -> None:
        """Read the file if it is another one than before."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - a microsecond, on every request
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if identity == self._identity:
                return
            keys = [line.strip() for line in self._path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            self._identity, self._digests = None, ()
            self._complain(f"can't be read ({error})")
            return
        self._identity = identity
        self._digests = tuple(_digest(key) for key in keys if key)
        if self._digests:
            self._fault = None
            log.info("%d API keys read from %s", len(self._digests), self._path)
        else:
            self._complain("holds no key")

    def _complain(self, fault: str) -> None:
        """Say once why nobody is let in."""
        if fault != self._fault:
            self._fault = fault
            log.error("server.api_keys_file: %s %s: every request is refused with 401", self._path, fault)


def _digest(key: str) -> bytes:
    """Digests have one length, so that comparing them tells nothing about a key's."""
    return hashlib.sha256(key.encode()).digest()
