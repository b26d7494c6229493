"""Prometheus and promtool: the machine's own, else Debian's package unpacked into the cache, without its service."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class MissingError(Exception):
    """Neither is Prometheus here, nor can its package be had; the message says what was tried."""


def find(name: str) -> Path:
    """Where `prometheus` or `promtool` is, fetched if need be.

    Raises:
        MissingError: it is not on PATH, and Debian's package could not be fetched.
    """
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reranker-operator"
    binary = cache / "prometheus" / "usr" / "bin" / name
    if not binary.is_file():
        _fetch(cache / "prometheus")
    return binary


def _fetch(target: Path) -> None:
    """Download the package and unpack it, so that it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        # As nobody apt can't write into a folder of root's; it says so at length and goes on as root.
        download = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "prometheus")
        if _run(download, scratch) is not None:
            _run(("apt-get", "-q", "update"), scratch)
            failure = _run(download, scratch)
            if failure is not None:
                raise MissingError(f"prometheus is needed (Debian's package of this name): {failure}")
        (package,) = Path(scratch).glob("prometheus_*.deb")
        unpacked = Path(scratch) / "unpacked"
        failure = _run(("dpkg", "-x", str(package), str(unpacked)), scratch)
        if failure is not None:
            raise MissingError(f"while unpacking {package.name}: {failure}")
        if not target.exists():
            unpacked.rename(target)


def _run(command: tuple[str, ...], folder: str) -> str | None:
    """None, or what went wrong."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except FileNotFoundError as error:
        return str(error)
    return None if done.returncode == 0 else f"{' '.join(command)}: {done.stderr.strip()[-500:]}"
