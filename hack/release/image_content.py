"""What is installed in an image, read from its OCI archive layer by layer without starting or unpacking it."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path, PurePosixPath
from typing import IO, Any

DPKG_STATUS = "var/lib/dpkg/status"
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
DECOMPRESSORS = {"": ("cat",), "gzip": ("gzip", "-dc"), "zstd": ("zstd", "-dc")}

Changes = dict[str, bytes | None]
"""Path -> content of a file that a layer adds, None for one of its whiteouts."""


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
    vendored: bool = False
    """A copy that another package carries in itself: it is in the image, and nothing pins it by its name."""


def installed(archive: Path) -> list[Package]:
    """The packages in an image, sorted; an `ArchiveError` says why they can't be read."""
    try:
        files = merge_layers(read_layer(archive, *layer) for layer in layers(archive))
    except (tarfile.TarError, OSError, KeyError, ValueError) as error:
        raise ArchiveError(f"{archive} is no OCI archive that can be read: {error!r}") from error
    packages = set(debian_packages(files.pop(DPKG_STATUS, b"").decode()))
    packages |= {python_package(path, content.decode()) for path, content in files.items()}
    if not packages:
        raise ArchiveError(f"{archive}: no package was found in the image")
    return sorted(packages, key=lambda package: (package.kind, package.name, package.version, package.vendored))


def layers(archive: Path) -> list[tuple[str, str]]:
    """Digest and compression (a key of DECOMPRESSORS) of the layers of the archive's one image, lowest first."""

    def document(tar: tarfile.TarFile, name: str) -> Any:
        file = tar.extractfile(name)
        return json.load(file) if file else {}

    with tarfile.open(archive) as tar:
        [descriptor] = document(tar, "index.json")["manifests"]
        found = document(tar, blob(descriptor["digest"]))["layers"]
    return [(layer["digest"], layer["mediaType"].rpartition("tar")[2].lstrip("+.")) for layer in found]


def blob(digest: str) -> str:
    """Where in the archive the content with a digest lies."""
    return f"blobs/{digest.replace(':', '/')}"


def read_layer(archive: Path, digest: str, compression: str) -> Changes:
    """What a layer does to the files that say what is installed. Programs decompress: Python 3.11 knows no zstd."""
    with (
        subprocess.Popen(("tar", "-xOf", str(archive), blob(digest)), stdout=subprocess.PIPE) as packed,
        subprocess.Popen(DECOMPRESSORS[compression], stdin=packed.stdout, stdout=subprocess.PIPE) as plain,
    ):
        if plain.stdout is None:
            raise ArchiveError(f"no output of {DECOMPRESSORS[compression][0]}")
        changes = read_changes(plain.stdout)
        while plain.stdout.read(1 << 20):  # what pads the layer: the programs are to end well
            pass
    if packed.returncode or plain.returncode:
        raise ArchiveError(f"{archive}: layer {digest} can't be decompressed")
    return changes


def read_changes(stream: IO[bytes]) -> Changes:
    """Files of an uncompressed layer that say what is installed, with their content, and deletions with None."""
    changes: Changes = {}
    with tarfile.open(fileobj=stream, mode="r|") as layer:
        for entry in layer:
            path = entry.name.removeprefix("./").lstrip("/")
            if PurePosixPath(path).name.startswith(WHITEOUT):
                changes[path] = None
            elif entry.isfile() and (path == DPKG_STATUS or path.endswith(".dist-info/METADATA")):
                file = layer.extractfile(entry)
                changes[path] = file.read() if file else b""
    return changes


def merge_layers(changes: Iterable[Changes]) -> dict[str, bytes]:
    """The files as a container sees them, from the changes of each layer, lowest first."""
    files: dict[str, bytes] = {}
    for change in changes:
        for path, content in change.items():
            if content is None:
                gone = str(PurePosixPath(path).parent if path.endswith(OPAQUE) else hidden(path))
                files = {kept: data for kept, data in files.items() if kept != gone and not kept.startswith(f"{gone}/")}
        files |= {path: content for path, content in change.items() if content is not None}
    return files


def hidden(path: str) -> PurePosixPath:
    """The path that a whiteout file hides."""
    mark = PurePosixPath(path)
    return mark.with_name(mark.name.removeprefix(WHITEOUT))


def debian_packages(status: str) -> Iterator[Package]:
    """The packages that dpkg's status file calls installed."""
    for paragraph in status.split("\n\n"):
        fields = message_from_string(paragraph)
        if fields["Status"] == "install ok installed":
            yield Package("deb", fields["Package"], fields["Version"], architecture=fields["Architecture"])


def python_package(path: str, metadata: str) -> Package:
    """The distribution that a METADATA file describes; one below a folder `_vendor` is vendored."""
    fields = message_from_string(metadata)
    name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()
    vendored = "_vendor" in PurePosixPath(path).parts
    return Package("pypi", name, fields["Version"], licence=fields["License-Expression"], vendored=vendored)
