"""Writing files whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def replace_text(path: Path, data: bytes) -> None:
    """Replace what a file holds; a reader sees the old content or the new, and the file keeps its permissions.

    A symbolic link stays one: what it points to is replaced. What is no regular file, such as `/dev/null` or a pipe, is
    written to as it is.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    if path.exists():
        part.chmod(path.stat().st_mode & 0o7777)
        if os.geteuid() == 0:
            os.chown(part, path.stat().st_uid, path.stat().st_gid)
    part.replace(path)
