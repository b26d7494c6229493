"""`hack/images/build`: builds what changed, and names every image on standard output."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hack.images.base import REFERENCE, base_identity, ensure_programs
from hack.images.current import assemble_model, chosen_base, images_of, remember_base, remembered_base
from hack.images.names import DEFAULT_TARGETS, TARGETS, Image, ImagesError, cache_folder, project_version
from hack.images.progress import say, timed
from hack.images.store import Store, free_gib

# In the build, where the Dockerfile has its cache of packages.
PACKAGE_CACHE = "/var/cache/uv"
# A tag says what is in an image, so one whose files changed on the way is built again.
ATTEMPTS = 3
# What an image takes while it is built: layers, what they are made of, the archive.
NEEDED_GIB = {"service-cpu": 14.0, "service": 60.0}


def main() -> int:
    """Build the images that are asked for; the exit status is 1 when one can't be built."""
    parser = argparse.ArgumentParser(prog="hack/images/build", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="IMAGE", help=f"of {', '.join(TARGETS)}; default: all but service"
    )
    parser.add_argument("--refresh-base", action="store_true", help="make the base image anew, for Debian's updates")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="for the Dockerfile")
    parser.add_argument("--no-host-cache", action="store_true", help="leave the cache of this machine's uv alone")
    arguments = parser.parse_args()
    targets = arguments.targets or list(DEFAULT_TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such image: {', '.join(sorted(unknown))} (there are {', '.join(TARGETS)})")
    try:
        images = build(
            targets, arguments.build_arg, refresh=arguments.refresh_base, host_cache=not arguments.no_host_cache
        )
    except ImagesError as error:
        say(str(error))
        return 1
    for image in images:
        print(f"{image.name}={image.reference}")
    return 0


def build(targets: list[str], arguments: list[str], *, refresh: bool, host_cache: bool) -> list[Image]:
    """Build what is not built, and remove what it replaces."""
    if "service-cpu" in targets:
        assemble_model()
    base = remembered_base()
    if base and not refresh:
        images = images_of(targets, base, arguments)
        if all(image.archive.is_file() for image in images):
            say(f"up to date: {', '.join(image.name for image in images)}")
            return images
    if os.geteuid() != 0:
        raise ImagesError("building images without a container engine needs root: run `sudo -E hack/images/build`")
    ensure_programs()
    store = Store()
    with store.locked():
        base = chosen_base()
        if base is None:
            base = base_identity(store, refresh=refresh)
            remember_base(base)
        images = images_of(targets, base, arguments)
        images = [
            image if image.archive.is_file() else build_one(store, image, base, arguments, host_cache=host_cache)
            for image in images
        ]
        store.prune_steps()
    return images


def build_one(store: Store, image: Image, base: str, arguments: list[str], *, host_cache: bool) -> Image:
    """Build an image and write its archive; returns the image, which is another one if its files changed meanwhile."""
    needed, free = NEEDED_GIB.get(image.target, 3.0), free_gib(store.folder)
    if free < needed:
        raise ImagesError(f"{image.name} needs {needed:.0f} GiB in {store.folder}, and {free:.0f} GiB are free there")
    cache = package_cache() if host_cache else None
    volumes = {cache: PACKAGE_CACHE} if cache else {}
    version = project_version()
    for _ in range(ATTEMPTS):
        with timed(f"building {image.local_reference}"):
            store.build(image, base=chosen_base() or REFERENCE, version=version, arguments=arguments, volumes=volumes)
        [now] = images_of([image.target], base, arguments)
        if now == image:
            break
        say(f"{image.name}: its files changed while it was built")
        image = now
    else:
        raise ImagesError(f"the files of {image.name} keep changing while it is built")
    with timed(f"writing {image.archive}"):
        store.export(image)
    say(f"{image.name}: {image.archive.stat().st_size / 2**20:.0f} MiB")
    store.prune(image)
    return image


def package_cache() -> Path | None:
    """The cache of this machine's uv, so that nothing is downloaded twice; None where it is not root's own.

    The build writes into it as root, which would lock another user out of parts of their cache.
    """
    program = shutil.which("uv") or next(map(str, cache_folder().parent.glob("uv-*/bin/uv")), None)
    if program is None:
        return None
    done = subprocess.run([program, "cache", "dir"], text=True, capture_output=True, check=False)
    folder = Path(done.stdout.strip())
    usable = done.returncode == 0 and folder.is_dir() and folder.stat().st_uid == os.geteuid()
    return folder if usable else None


if __name__ == "__main__":
    sys.exit(main())
