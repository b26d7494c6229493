"""The project's own image store, by buildah: apart from the machine's, so that it can be pruned or removed whole."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hack.images.names import ROOT, Image, ImagesError, cache_folder
from hack.images.progress import run_logged, say

CERTIFICATES = Path("/etc/ssl/certs")
# Steps that no image stands on any more are kept this long, since an older branch may need them again.
STEPS_KEPT = "168h"


class Store:
    """Builds images and writes archives of them."""

    def __init__(self) -> None:
        self.folder = cache_folder()
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        self.options = (
            "--root", str(self.folder / "storage"),
            "--runroot", f"/run/reranker-operator/images-{name}",
            "--storage-driver", "overlay",
        )  # fmt: skip
        # Layers and archives are written here first, and the package cache of a build lies here too.
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self.environment = {**os.environ, "TMPDIR": str(temporary), "BUILDAH_ISOLATION": "chroot"}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Only one build at a time works with the store."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another build of images to end")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def run(self, command: str, *arguments: str) -> str:
        """Run a buildah command and return what it printed; an `ImagesError` says what it complained about."""
        done = subprocess.run(
            ["buildah", command, *self.options, *arguments],
            env=self.environment, text=True, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ImagesError(f"`buildah {command} {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def find(self, reference: str) -> str | None:
        """The id of an image, or None where there is none of that name."""
        for image in json.loads(self.run("images", "--json") or "[]"):
            if reference in (image.get("names") or ()):
                return str(image["id"])
        return None

    def build(
        self, image: Image, *, base: str, version: str, arguments: Sequence[str], volumes: Mapping[Path, str]
    ) -> None:
        """Build one target; `volumes` maps folders of this machine to paths that the build sees beside the image."""
        # Nothing is served under "localhost": what is not there can't be pulled either.
        pull = "never" if base.startswith("localhost/") else "false"
        # The host's trusted certificates are seen while building and stay out of the image.
        mounts = [f"{CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.is_dir() else []
        mounts += [f"{folder}:{path}" for folder, path in volumes.items()]
        try:
            run_logged(
                [
                    "buildah", "bud", *self.options, "--isolation", "chroot", "--layers", f"--pull={pull}",
                    *(f"--volume={mount}" for mount in mounts),
                    *(f"--build-arg={argument}" for argument in (f"BASE={base}", f"VERSION={version}", *arguments)),
                    "--target", image.target, "--tag", image.local_reference, str(ROOT),
                ],
                self.folder / "logs" / f"{image.target}.log",
                image.target,
                environment=self.environment,
            )  # fmt: skip
        finally:
            self.remove_containers()

    def remove_containers(self) -> None:
        """A failed build leaves its containers behind; all in this store are of builds, and none runs now."""
        self.run("rm", "--all")

    def export(self, image: Image) -> None:
        """Write the image's archive.

        Quick compression costs less time than the node then saves by reading and keeping a third of the bytes.
        """
        image.archive.parent.mkdir(parents=True, exist_ok=True)
        partial = image.archive.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        destination = f"oci-archive:{partial}:{image.local_reference}"
        compression = ("--compression-format", "zstd", "--compression-level", "1")
        self.run("push", "--quiet", *compression, image.local_reference, destination)
        partial.replace(image.archive)

    def push(self, image: Image) -> None:
        """Push a built image to the registry in its reference."""
        run_logged(
            ["buildah", "push", *self.options, image.local_reference, f"docker://{image.reference}"],
            self.folder / "logs" / f"push-{image.target}.log",
            f"push of {image.reference}",
            environment=self.environment,
        )

    def prune(self, image: Image) -> None:
        """Remove what came before `image`: archives and images of its name, and steps that were not used for long."""
        for archive in image.archive.parent.glob(f"{image.name}-*"):
            if archive != image.archive and archive.stem.removeprefix(f"{image.name}-").isalnum():
                archive.unlink()
        for entry in json.loads(self.run("images", "--json") or "[]"):
            for name in entry.get("names") or ():
                if name.startswith(f"localhost/{image.name}:") and name != image.local_reference:
                    self.run("rmi", name)

    def prune_steps(self) -> None:
        """Remove the layers of steps that belong to no image any more and are old."""
        stale = self.run("images", "--all", "--quiet", "--filter", "dangling=true", "--filter", f"until={STEPS_KEPT}")
        for identity in stale.split():
            # One that others stand on can't go yet.
            with contextlib.suppress(ImagesError):
                self.run("rmi", identity)


def free_gib(folder: Path) -> float:
    """Free space of the file system that `folder` is on, in GiB."""
    return shutil.disk_usage(folder).free / 2**30
