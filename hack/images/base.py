"""The base image where there is no registry to get one from: a minimal Debian, made of Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from hack.images.names import ImagesError
from hack.images.progress import run_logged, say, timed
from hack.images.store import Store

SUITE = "bookworm"
REFERENCE = f"localhost/reranker-base:{SUITE}"
MIRROR = "http://deb.debian.org/debian"
SOURCES = f"""\
deb {MIRROR} {SUITE} main
deb {MIRROR} {SUITE}-updates main
deb {MIRROR}-security {SUITE}-security main
"""
# What an image has no use for, now and from packages installed later: the same choice as that of Debian's slim images.
UNWANTED = ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man")
DPKG_OPTIONS = (
    "".join(f"path-exclude /{folder}/*\n" for folder in UNWANTED) + "path-include /usr/share/doc/*/copyright\n"
)
UPDATE = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y upgrade"
APT_OPTIONS = """\
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "false";
Acquire::Languages "none";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


def ensure_programs() -> None:
    """Install buildah and debootstrap where they are missing."""
    missing = [program for program in ("buildah", "debootstrap") if not find_program(program)]
    if not missing:
        return
    if not find_program("apt-get"):
        raise ImagesError(f"{' and '.join(missing)} are missing; install them with this machine's package manager")
    # A cluster being brought up at the same time may install packages, too.
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with timed(f"installing {' and '.join(missing)}"):
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            done = subprocess.run([*apt, *arguments], env=environment, text=True, capture_output=True, check=False)
            if done.returncode:
                raise ImagesError(f"`apt-get {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")


def find_program(name: str) -> str | None:
    """Where a program lies; debootstrap's folder is not on every root's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def base_identity(store: Store, *, refresh: bool = False) -> str:
    """The id of the base image, which is made when it is missing or is to be made anew."""
    known = None if refresh else store.find(REFERENCE)
    return known or make_base(store)


def make_base(store: Store) -> str:
    """Bootstrap Debian into an empty image; returns its id."""
    ensure_programs()
    with timed(f"base image from Debian's packages ({SUITE})"):
        container = store.run("from", "scratch")
        try:
            root = Path(store.run("mount", container))
            run_logged(
                [
                    find_program("debootstrap") or "debootstrap", "--variant=minbase", "--include=ca-certificates",
                    SUITE, str(root), MIRROR,
                ],
                store.folder / "logs" / "base.log",
                "base",
            )  # fmt: skip
            configure(root)
            run_logged(
                ["buildah", "run", *store.options, "--isolation", "chroot", container, "--", "sh", "-c", UPDATE],
                store.folder / "logs" / "base-updates.log",
                "base",
                environment=store.environment,
            )
            trim(root)
            store.run("umount", container)
            return store.run("commit", "--quiet", container, REFERENCE).splitlines()[-1]
        finally:
            store.remove_containers()


def configure(root: Path) -> None:
    """Where packages come from, and that installing them leaves little behind."""
    (root / "etc/apt/sources.list").write_text(SOURCES, encoding="utf-8")
    (root / "etc/apt/apt.conf.d/90-images").write_text(APT_OPTIONS, encoding="utf-8")
    (root / "etc/dpkg/dpkg.cfg.d/90-images").write_text(DPKG_OPTIONS, encoding="utf-8")


def trim(root: Path) -> None:
    """Take out what only installing needed, and what debootstrap copied from this machine."""
    for folder in UNWANTED:
        for path in (root / folder).rglob("*"):
            if path.is_file() and path.name != "copyright":
                path.unlink()
    for pattern in ("var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*", "var/log/*.log"):
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (root / "etc/hostname").write_text("localhost\n", encoding="utf-8")
    (root / "etc/resolv.conf").write_text("", encoding="utf-8")
    say(f"base: {sum(path.lstat().st_size for path in root.rglob('*')) / 2**20:.0f} MiB")
