"""Bills of materials in CycloneDX: of an image as it was built, from the packages that are installed in it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from hack.release.image_content import Package

SPECIFICATION = "1.5"
DISTRIBUTION = "debian-12"


def package_url(package: Package) -> str:
    """The package's purl."""
    version = quote(package.version, safe="")
    if package.kind == "deb":
        return f"pkg:deb/debian/{package.name}@{version}?arch={package.architecture}&distro={DISTRIBUTION}"
    return f"pkg:pypi/{package.name}@{version}"


def bill(name: str, version: str, digest: str, packages: Sequence[Package]) -> dict[str, Any]:
    """The document for one image.

    `digest` is the SHA-256 of its archive in hex. The same image gets the same document: no time, and a serial number
    made from the digest.
    """
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{name}@sha256:{digest}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": name,
                "name": name,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": [component(package) for package in packages],
    }


def component(package: Package) -> dict[str, Any]:
    """A package as a component; its licence where the package itself names one by an SPDX expression."""
    url = package_url(package)
    reference = f"{url}#vendored" if package.vendored else url
    entry: dict[str, Any] = {
        "type": "library", "bom-ref": reference, "name": package.name, "version": package.version, "purl": url,
    }  # fmt: skip
    if package.licence:
        entry["licenses"] = [{"expression": package.licence}]
    return entry


def not_as_locked(packages: Sequence[Package], locked: dict[str, set[str]], own: str) -> list[str]:
    """One line for each Python package of an image that is not in the lock with that version.

    `locked` maps a name to the versions that the lock has of it; a local part (`+cpu`) is a build of the same version.
    """
    return [
        f"{package.name} {package.version} is installed, and uv.lock has "
        + (" or ".join(sorted(locked.get(package.name, ()))) or "no such package")
        for package in packages
        if package.kind == "pypi"
        and not package.vendored
        and package.name != own
        and package.version.partition("+")[0] not in {one.partition("+")[0] for one in locked.get(package.name, ())}
    ]
