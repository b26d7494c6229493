"""What was measured and from where: without it a figure from last month can't be set beside one of today.

Most of it the server says itself in `/health`; the GPU and its driver are looked up on this machine where the server
runs here, and the user can say what nobody can look up (`--gpu`, `--image`).
"""

from __future__ import annotations

import ipaddress
import os
import platform
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from reranker_bench import __version__

UNKNOWN = "unknown"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ClientInfo(_Model):
    """The machine that measured."""

    host: str
    platform: str
    python: str
    cpus: int
    cpu_model: str | None = None

    @classmethod
    def here(cls) -> ClientInfo:
        """Describe this machine."""
        return cls(
            host=platform.node(),
            platform=platform.platform(),
            python=platform.python_version(),
            cpus=os.cpu_count() or 1,
            cpu_model=_cpu_model(),
        )


class ServerInfo(_Model):
    """The server, as far as it is known; None where nobody said."""

    backend: str | None = None
    instruction_format: str | None = None
    model: str | None = None
    model_revision: str | None = None
    max_model_len: int | None = None
    dtype: str | None = None
    version: str | None = None
    engine_version: str | None = None
    image: str | None = None
    gpu: str | None = None
    """The card's name; with several, `2 x NAME`."""
    driver: str | None = None

    @classmethod
    def of(
        cls,
        health: dict[str, Any],
        *,
        gpu: str | None = None,
        driver: str | None = None,
        image: str | None = None,
        model: str | None = None,
    ) -> ServerInfo:
        """From what `/health` answered, and from what is known beside it."""
        length = health.get("max_model_len")
        return cls(
            **{name: _text(health.get(name)) for name in _OF_HEALTH},
            model=model_name(health.get("model")) or model,
            max_model_len=length if type(length) is int else None,
            image=image or _text(health.get("image")),
            gpu=gpu or _text(health.get("gpu")),
            driver=driver or _text(health.get("driver")),
        )


_OF_HEALTH = ("backend", "instruction_format", "model_revision", "dtype", "version", "engine_version")


class Environment(_Model):
    """What was measured and from where."""

    # By a function, so that the schema does not change with each release.
    bench_version: str = Field(default_factory=lambda: __version__)
    health: dict[str, Any]
    """The server's own `/health` before the first request, as it stood."""
    server: ServerInfo
    client: ClientInfo


def model_name(model: object) -> str | None:
    """`/health` may give the model as a name or as an object with one."""
    if isinstance(model, dict):
        model = model.get("name") or model.get("id")
    return _text(model)


def local_gpu(url: str) -> tuple[str | None, str | None]:
    """Name and driver of the GPU here, if the server at `url` runs on this machine and there is one."""
    if not _is_loopback(urlsplit(url).hostname or ""):
        return None, None
    query = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    cards = [tuple(part.strip() for part in line.rsplit(",", 1)) for line in done.stdout.splitlines() if "," in line]
    if done.returncode != 0 or not cards:
        return None, None
    name, driver = cards[0]
    return (name if len(cards) == 1 else f"{len(cards)} x {name}"), driver


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return None


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None
