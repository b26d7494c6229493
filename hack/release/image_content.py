"""What is installed in an image, read from its OCI archive layer by layer without starting or unpacking it."""

from __future__ import annotations

import email
import json
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

DPKG_STATUS = "var/lib/dpkg/status"
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
DECOMPRESSORS = {"": ("cat",), "gzip": ("gzip", "-dc"), "zstd": ("zstd", "-dc")}


class ArchiveError(Exception):
    """The archive isn't one that this module reads; the message says what is wrong with it."""


@dataclass(frozen=True, order=True)
class Package:
    """Something installed: a Debian package (`deb`) or a Python distribution (`pypi`)."""

    kind: str
    name: str
    version: str
    licence: str | None = None
    architecture: str | None = None


def installed(archive: Path) -> list[Package]:
    """The packages in an image, sorted; an `ArchiveError` says why they can't be read."""
    try:
        with tarfile.open(archive) as tar:
            files = merge_layers(layers(tar))
    except (tarfile.TarError, KeyError, json.JSONDecodeError) as error:
        raise ArchiveError(f"{archive} is no OCI archive that can be read: {error!r}") from error
    packages = {
        *debian_packages(files.get(DPKG_STATUS, b"").decode()),
        *(python_package(content) for path, content in files.items() if path != DPKG_STATUS),
    }
    if not packages:
        raise ArchiveError(f"no package was found in {archive}")
    return sorted(packages, key=lambda package: (package.kind, package.name, package.version))


def layers(tar: tarfile.TarFile) -> Iterator[Iterator[tuple[str, bytes | None]]]:
    """The layers of the archive's one image, lowest first, each as the paths in it that matter."""
    [descriptor] = json.load(member(tar, "index.json"))["manifests"]
    for layer in json.load(member(tar, blob(descriptor["digest"])))["layers"]:
        compression = layer["mediaType"].rpartition("tar")[2].lstrip("+.")
        if compression not in DECOMPRESSORS:
            raise ArchiveError(f"a layer is of type {layer['mediaType']}, which is not known here")
        with decompressed(member(tar, blob(layer["digest"])), DECOMPRESSORS[compression]) as stream:
            yield interesting(stream)


def member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of the archive."""
    file = tar.extractfile(name)
    if file is None:
        raise ArchiveError(f"{name} in the archive is no file")
    return file


def blob(digest: str) -> str:
    """Where in the archive the content with a digest lies."""
    return f"blobs/{digest.replace(':', '/')}"


@contextmanager
def decompressed(source: IO[bytes], command: tuple[str, ...]) -> Iterator[IO[bytes]]:
    """A layer's bytes, decompressed by a program, since Python 3.11 knows no zstd."""
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise ArchiveError(f"{command[0]} has no pipes")
        feeder = subprocess.Popen(("cat",), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        feeder.wait()
        yield process.stdout


def interesting(stream: IO[bytes]) -> Iterator[tuple[str, bytes | None]]:
    """Paths of a layer that say what is installed, with their content, and deletions with None."""
    with tarfile.open(fileobj=stream, mode="r|") as layer:
        for entry in layer:
            path = entry.name.removeprefix("./").lstrip("/")
            if PurePosixPath(path).name.startswith(WHITEOUT):
                yield path, None
            elif entry.isfile() and (path == DPKG_STATUS or path.endswith(".dist-info/METADATA")):
                file = layer.extractfile(entry)
                yield path, file.read() if file else b""
