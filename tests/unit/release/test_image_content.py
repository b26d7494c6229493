"""What is installed in an image is read as a container would see it, and told in CycloneDX."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from hack.release.image_content import ArchiveError, Package, installed
from hack.release.sbom import bill, not_as_locked

SITE = "opt/app/lib/python3.11/site-packages"
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def metadata(name: str, version: str, licence: str = "MIT") -> str:
    return (
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n\nA text\nName: no\n"
    )


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=content, stdout=subprocess.PIPE, check=True).stdout


def archive(folder: Path, *layers: dict[str, str], packed: tuple[str, ...] = ("", "+gzip", "+zstd")) -> Path:
    """An OCI archive with these layers, each compressed in another way."""
    pack = {"": bytes, "+gzip": gzip.compress, "+zstd": zstd}
    blobs: dict[str, bytes] = {}

    def add(content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return f"sha256:{digest}"

    entries = []
    for files, how in zip(layers, packed, strict=False):
        content = pack[how](tar_of({name: text.encode() for name, text in files.items()}))
        entries.append({"mediaType": f"application/vnd.oci.image.layer.v1.tar{how}", "digest": add(content)})
    manifest = add(json.dumps({"layers": entries}).encode())
    index = json.dumps({"manifests": [{"digest": manifest}]}).encode()
    path = folder / "image.tar"
    path.write_bytes(tar_of({"index.json": index, **blobs}))
    return path


def test_packages_of_debian_and_of_python_are_found_in_layers_of_any_compression(tmp_path: Path) -> None:
    image = archive(
        tmp_path,
        {"./var/lib/dpkg/status": STATUS},
        {f"{SITE}/one-1.dist-info/METADATA": metadata("One_Thing", "1.0")},
        {f"{SITE}/two-2.dist-info/METADATA": metadata("two", "2.0", "Apache-2.0")},
    )
    assert installed(image) == [
        Package("deb", "libc6", "2.36-9+deb12u10", architecture="amd64"),
        Package("pypi", "one-thing", "1.0", licence="MIT"),
        Package("pypi", "two", "2.0", licence="Apache-2.0"),
    ]


@pytest.mark.parametrize(
    "deletion", [f"{SITE}/.wh.one-1.dist-info", f"{SITE}/one-1.dist-info/.wh.METADATA", f"{SITE}/.wh..wh..opq"]
)
def test_what_a_later_layer_deletes_is_not_there(tmp_path: Path, deletion: str) -> None:
    image = archive(
        tmp_path,
        {f"{SITE}/one-1.dist-info/METADATA": metadata("one", "1.0")},
        {deletion: "", f"{SITE}/two-2.dist-info/METADATA": metadata("two", "2.0")},
    )
    assert [package.name for package in installed(image)] == ["two"]


def test_a_deletion_takes_no_neighbour_with_it(tmp_path: Path) -> None:
    image = archive(
        tmp_path,
        {f"{SITE}/{name}-1.dist-info/METADATA": metadata(name, "1.0") for name in ("one", "one-more")},
        {f"{SITE}/.wh.one-1.dist-info": ""},
    )
    assert [package.name for package in installed(image)] == ["one-more"]


def test_what_a_package_carries_in_itself_is_told_and_needs_no_lock(tmp_path: Path) -> None:
    both = {
        f"{SITE}/one-1.dist-info/METADATA": metadata("one", "1.0"),
        f"{SITE}/big/_vendor/one-1.dist-info/METADATA": metadata("one", "1.0"),
        f"{SITE}/big/_vendor/stray-1.dist-info/METADATA": metadata("stray", "1.0"),
    }
    packages = installed(archive(tmp_path, both))
    assert [(package.name, package.vendored) for package in packages] == [
        ("one", False),
        ("one", True),
        ("stray", True),
    ]
    assert not_as_locked(packages, {"one": {"1.0"}}, "own") == []
    references = [each["bom-ref"] for each in bill("image", "1", "ab" * 32, packages)["components"]]
    assert len(set(references)) == 3


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_text("nothing")
    with pytest.raises(ArchiveError, match=r"image\.tar is no OCI archive"):
        installed(tmp_path / "image.tar")


def test_a_layer_that_is_damaged_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    image = archive(tmp_path, {f"{SITE}/one-1.dist-info/METADATA": metadata("one", "1.0")}, packed=("+zstd",))
    content = image.read_bytes()
    image.write_bytes(content.replace(b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfe"))
    with pytest.raises(ArchiveError):
        installed(image)


def test_an_image_without_packages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no package"):
        installed(archive(tmp_path, {"etc/motd": "hello"}))


def test_a_bill_names_each_package_by_its_url_and_is_the_same_for_the_same_image() -> None:
    packages = [
        Package("deb", "libc6", "1:2+b", architecture="amd64"),
        Package("pypi", "one", "1.0+cpu", licence="MIT"),
    ]
    document = bill("reranker-operator", "0.1.0", "ab" * 32, packages)
    assert [component["purl"] for component in document["components"]] == [
        "pkg:deb/debian/libc6@1%3A2%2Bb?arch=amd64&distro=debian-12",
        "pkg:pypi/one@1.0%2Bcpu",
    ]
    assert document["components"][1]["licenses"] == [{"expression": "MIT"}]
    assert document == bill("reranker-operator", "0.1.0", "ab" * 32, packages)
    assert document["serialNumber"] != bill("reranker-operator", "0.1.0", "cd" * 32, packages)["serialNumber"]


def test_a_python_package_that_the_lock_has_not_is_named() -> None:
    locked = {"one": {"1.0"}, "torch": {"2.13.0"}}
    packages = [
        Package("pypi", "one", "1.1"),
        Package("pypi", "torch", "2.13.0+cpu"),
        Package("pypi", "stray", "3"),
        Package("pypi", "reranker-operator", "0.0.1"),
        Package("deb", "libc6", "2"),
    ]
    assert not_as_locked(packages, locked, "reranker-operator") == [
        "one 1.1 is installed, and uv.lock has 1.0",
        "stray 3 is installed, and uv.lock has no such package",
    ]
