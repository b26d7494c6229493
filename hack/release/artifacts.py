"""Builds what a release consists of, and looks into each of it: a file that is there may still be the wrong one."""

import hashlib
import json
import os
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import yaml

from hack.chart.helm import find_helm
from hack.images.current import images_of, remembered_base
from hack.images.names import DEFAULT_TARGETS
from hack.release.image_content import ArchiveError, installed
from hack.release.sbom import bill, not_as_locked

PACKAGES = ("reranker_operator", "reranker_service", "reranker_bench")
ROLES = {
    "operator": ("operator",),
    "service": ("service", "gpu"),
    "service-cpu": ("service", "cpu"),
    "bench": ("bench",),
}
"""The extras in each image; one bill of materials an image."""
# It reads the bills in a throw-away environment, so that the project's own need not carry it. jsonschema comes without
# its checks of formats: those of URLs take seconds for each package.
VALIDATOR = ("--with", "cyclonedx-python-lib>=11", "--with", "jsonschema")
VALIDATE = """\
import pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.V1_5)
wrong = {name: validator.validate_str(pathlib.Path(name).read_text()) for name in sys.argv[1:]}
sys.exit("\\n".join(f"{name}: {error}" for name, error in wrong.items() if error) or 0)
"""


class ReleaseError(Exception):
    """Something can't be built, or isn't what it has to be; the message says what."""


def wheel(root: Path, target: Path, version: str) -> Path:
    """The wheel with the three products.

    Raises:
        ReleaseError: it can't be built, or a product is missing in it.
    """
    _run(
        "building the wheel", str(root / "hack/uv"), "build", "--wheel", "--quiet", "--out-dir", str(target), str(root)
    )
    (file,) = target.glob(f"reranker_operator-{version}-*.whl")
    with zipfile.ZipFile(file) as content:
        inside = {name.partition("/")[0] for name in content.namelist()}
    missing = set(PACKAGES) - inside
    if missing:
        raise ReleaseError(f"{file.name} lacks {', '.join(sorted(missing))}")
    return file


def chart(root: Path, target: Path, version: str) -> Path:
    """The chart's package.

    Raises:
        ReleaseError: it can't be packed, or lacks the CRDs, the dashboards or the rules.
    """
    source = root / "charts" / "reranker-operator"
    _run("packing the chart", find_helm(), "package", str(source), "--destination", str(target))
    file = target / f"reranker-operator-{version}.tgz"
    with tarfile.open(file) as content:
        inside = set(content.getnames())
    needed = {
        f"reranker-operator/{path.relative_to(source)}" for path in (source / "files").rglob("*") if path.is_file()
    }
    if not needed or needed - inside:
        raise ReleaseError(f"{file.name} lacks {', '.join(sorted(needed - inside)) or 'files/'}")
    return file


def bills(root: Path, target: Path, roles: Iterable[str] = tuple(ROLES)) -> list[Path]:
    """A bill of materials (CycloneDX) for each image, out of the lock file: for images that are not built.

    Raises:
        ReleaseError: one can't be written, or lists nothing.
    """
    written = []
    for role in roles:
        extras = ROLES[role]
        file = target / f"sbom-{role}.cdx.json"
        chosen = [part for extra in extras for part in ("--extra", extra)]
        how = ("--frozen", "--no-default-groups", "--quiet", "--format", "cyclonedx1.5", "--output-file", str(file))
        _run(f"listing what is in {role}", str(root / "hack/uv"), "export", "--project", str(root), *how, *chosen)
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("bomFormat") != "CycloneDX" or len(content.get("components", [])) < 3:
            raise ReleaseError(f"{file.name} lists nothing: is uv.lock complete?")
        written.append(file)
    return written


def bill_of_image(root: Path, archive: Path, version: str) -> Path:
    """A bill of materials of what is installed in an image: Debian's packages and Python's.

    Raises:
        ReleaseError: it can't be read, or holds a Python package in another version than uv.lock has.
    """
    name = archive.name.removesuffix(".oci.tar")
    try:
        packages = installed(archive)
    except ArchiveError as error:
        raise ReleaseError(str(error)) from error
    if wrong := not_as_locked(packages, _locked(root), "reranker-operator"):
        raise ReleaseError("\n".join(f"{name}: {line}" for line in wrong))
    file = archive.with_name(f"sbom-{name.removeprefix('reranker-')}.cdx.json")
    content = bill(name, version, sha256(archive), packages)
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def validate(root: Path, written: Iterable[Path]) -> None:
    """Hold bills of materials against CycloneDX's own schema.

    Raises:
        ReleaseError: one is not as the schema has it.
    """
    how = ("run", "--quiet", "--no-project", *VALIDATOR, "python", "-c", VALIDATE)
    _run("validating the bills of materials", str(root / "hack/uv"), *how, *map(str, written))


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _locked(root: Path) -> dict[str, set[str]]:
    """The versions that uv.lock has of each package."""
    versions: dict[str, set[str]] = {}
    for package in tomllib.loads((root / "uv.lock").read_text(encoding="utf-8"))["package"]:
        versions.setdefault(package["name"], set()).add(package["version"])
    return versions


def images(root: Path, target: Path) -> list[Path]:
    """The images as OCI archives, under their release's names; without the GPU's, which takes 60 GiB to build.

    Raises:
        ReleaseError: one can't be built.
    """
    _run("building the images", str(root / "hack/images/build"), show=True)
    linked = []
    for image in images_of(list(DEFAULT_TARGETS), remembered_base() or "", []):
        file = target / f"{image.name}.oci.tar"
        file.unlink(missing_ok=True)
        try:
            os.link(image.archive, file)
        except OSError:
            file.symlink_to(image.archive)
        with tarfile.open(file) as archive:
            if "index.json" not in archive.getnames():
                raise ReleaseError(f"{file.name} is no OCI archive: it has no index.json")
        linked.append(file)
    return linked


def chart_renders(package: Path, version: str) -> None:
    """Render the package as a user would install it.

    Raises:
        ReleaseError: it doesn't render, or its images are of another version.
    """
    text = _run("rendering the chart's package", find_helm(), "template", "release", str(package))
    deployments = [each for each in yaml.safe_load_all(text) if each and each["kind"] == "Deployment"]
    used = {container["image"] for each in deployments for container in each["spec"]["template"]["spec"]["containers"]}
    if used != {f"reranker-operator:{version}"}:
        raise ReleaseError(f"the chart's package uses {', '.join(sorted(used))} and not reranker-operator:{version}")


def _run(what: str, *command: str, show: bool = False) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=None if show else subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise ReleaseError(f"while {what}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout
