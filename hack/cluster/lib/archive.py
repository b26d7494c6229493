"""Packs one static binary into an image archive that containerd imports.

The images of the node's own parts hold a binary and nothing else, so that no image builder is needed for them: an OCI
layout is a tar of four JSON documents and a tar of files. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tarfile
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
NOBODY = "65532:65532"


def layer_of(binary: Path) -> bytes:
    """An uncompressed tar with the binary at its root, and an empty /tmp."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(binary.name)
        entry.size = binary.stat().st_size
        entry.mode = 0o755
        with binary.open("rb") as content:
            tar.addfile(entry, content)
    return buffer.getvalue()


def descriptor(media_type: str, content: bytes) -> dict[str, object]:
    """How one document of an OCI layout names another."""
    return {
        "mediaType": f"application/vnd.oci.image.{media_type}",
        "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


def write_archive(binary: Path, name: str, machine: str, target: Path) -> None:
    """Write the archive of an image called `name` (repository:tag) whose entry point is the binary."""
    layer = layer_of(binary)
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {"Entrypoint": [f"/{binary.name}"], "User": NOBODY, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("config.v1+json", config),
            "layers": [descriptor("layer.v1.tar", layer)],
        }
    ).encode()
    entry = descriptor("manifest.v1+json", manifest)
    entry["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    with tarfile.open(target, "w") as tar:
        for path, content in (
            ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
            ("index.json", index),
            *((f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob) for blob in (config, manifest, layer)),
        ):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(content))


def main() -> None:
    """The command line: binary, image name, machine (uname -m), archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("name")
    parser.add_argument("machine")
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    write_archive(arguments.binary, arguments.name, arguments.machine, arguments.target)


if __name__ == "__main__":
    main()
