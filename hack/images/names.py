"""The images of the project, and where what is built lies."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# What `build` and `load` take when no image is named: the GPU image is 10 GB and more, and of no use without a GPU.
DEFAULT_TARGETS = ("operator", "service-cpu", "bench")
TARGETS = (*DEFAULT_TARGETS, "service")
MODEL = ROOT / "build" / "models" / "tiny-reranker"


class ImagesError(Exception):
    """The images can't be built or handed on; the message says why and what to do."""


@dataclass(frozen=True)
class Image:
    """A target of the Dockerfile at a certain content."""

    target: str
    tag: str

    @property
    def name(self) -> str:
        """The repository's last part."""
        return f"reranker-{self.target}"

    @property
    def local_reference(self) -> str:
        """The name under which it is built here, and lies in its archive."""
        return f"localhost/{self.name}:{self.tag}"

    @property
    def reference(self) -> str:
        """The name for the cluster: the user's own (`CLUSTER=current`) may pull from the registry `IMAGE_REGISTRY`."""
        registry = os.environ.get("IMAGE_REGISTRY") if uses_current_cluster() else None
        return f"{(registry or 'localhost').rstrip('/')}/{self.name}:{self.tag}"

    @property
    def archive(self) -> Path:
        """The image in one file, an OCI archive."""
        return cache_folder() / "archives" / f"{self.name}-{self.tag}.tar"


def uses_current_cluster() -> bool:
    """Whether the images are for the cluster of the current kubectl context, not for the local one."""
    return os.environ.get("CLUSTER", "local") == "current"


def cache_folder() -> Path:
    """The folder outside the checkout with images, archives and logs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "reranker-operator" / "images"


def project_version() -> str:
    """The version in pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
