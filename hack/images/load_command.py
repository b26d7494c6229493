"""`hack/images/load`: hands the images of this checkout to the cluster, unless it has them."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys

from hack.images.current import images_of, remembered_base
from hack.images.names import DEFAULT_TARGETS, ROOT, TARGETS, Image, ImagesError, uses_current_cluster
from hack.images.progress import say, timed
from hack.images.store import Store


def main() -> int:
    """Hand over the images that are named; the exit status is 1 when that can't be done."""
    parser = argparse.ArgumentParser(prog="hack/images/load", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="IMAGE", help=f"of {', '.join(TARGETS)}; default: all but service"
    )
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="as given to build")
    arguments = parser.parse_args()
    targets = arguments.targets or list(DEFAULT_TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such image: {', '.join(sorted(unknown))} (there are {', '.join(TARGETS)})")
    try:
        images = built_images(targets, arguments.build_arg)
        if uses_current_cluster():
            load_into_current(images)
        else:
            for image in images:
                call("hack/cluster/cluster", "load", str(image.archive), image.local_reference)
    except ImagesError as error:
        say(str(error))
        return 1
    return 0


def built_images(targets: list[str], arguments: list[str]) -> list[Image]:
    """The images of this checkout, all of which must have been built."""
    base = remembered_base()
    images = images_of(targets, base, arguments) if base else []
    missing = [image.target for image in images if not image.archive.is_file()] if images else targets
    if missing:
        raise ImagesError(f"not built, or not since the last change: run `hack/images/build {' '.join(missing)}` first")
    return images


def load_into_current(images: list[Image]) -> None:
    """Hand the images to the cluster of the current kubectl context.

    A registry in `IMAGE_REGISTRY` gets them pushed; kind and k3d take archives. Any other cluster can't get at them:
    an `ImagesError` says how to go on.
    """
    context = current_context()
    kind, name = context.partition("-")[::2]
    if os.environ.get("IMAGE_REGISTRY"):
        push(images)
    elif kind == "kind" and shutil.which("kind"):
        for image in images:
            call("kind", "load", "image-archive", str(image.archive), "--name", name)
    elif kind == "k3d" and shutil.which("k3d"):
        for image in images:
            call("k3d", "image", "import", str(image.archive), "--cluster", name)
    else:
        raise ImagesError(instructions(context, images))


def push(images: list[Image]) -> None:
    """Push to the registry; one that asks for a login gets that of `buildah login` or `docker login`."""
    if os.geteuid() != 0:
        raise ImagesError("pushing needs root, which built the images: run `sudo -E hack/images/load`")
    store = Store()
    with store.locked():
        for image in images:
            with timed(f"pushing {image.reference}"):
                store.push(image)


def instructions(context: str, images: list[Image]) -> str:
    """What a user does whose cluster can't be given archives from here."""
    archives = "\n".join(f"  {image.archive}  {image.local_reference}" for image in images)
    return (
        f"the nodes of the context {context} can't be reached from here. Either set IMAGE_REGISTRY, such as "
        "registry.example.com/team, to one that they pull from, and run build and load again; or import these OCI "
        f"archives on every node (ctr --namespace k8s.io images import):\n{archives}"
    )


def current_context() -> str:
    """The name of the kubectl context in use."""
    try:
        done = subprocess.run(["kubectl", "config", "current-context"], text=True, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ImagesError("CLUSTER=current needs kubectl on the PATH") from error
    if done.returncode:
        raise ImagesError(f"CLUSTER=current, but kubectl has no current context: {done.stderr.strip()}")
    return done.stdout.strip()


def call(*command: str) -> None:
    """Run a program with its output going to the terminal."""
    done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode:
        raise ImagesError(f"`{' '.join(command)}` ended with exit status {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
