"""Which images belong to this checkout, as `build` and `load` must agree on it."""

from __future__ import annotations

import os
import subprocess
import sys

from hack.images.content import content_tag, packaged_files
from hack.images.names import MODEL, ROOT, Image, ImagesError, cache_folder
from hack.images.progress import timed

# The id of the base image of the last build, for `load` and for a build that finds everything built.
MEMO = "base-id"


def chosen_base() -> str | None:
    """The base image that the user wants instead of one made from Debian's packages."""
    return os.environ.get("BASE") or None


def remembered_base() -> str | None:
    """What identifies the base image: its name where the user chose it, else the id of the one made here."""
    memo = cache_folder() / MEMO
    return chosen_base() or (memo.read_text(encoding="utf-8").strip() if memo.is_file() else None)


def remember_base(identity: str) -> None:
    """Keep the id of the base image made here."""
    (cache_folder() / MEMO).write_text(identity + "\n", encoding="utf-8")


def images_of(targets: list[str], base: str, arguments: list[str]) -> list[Image]:
    """The images of this checkout on the given base; an `ImagesError` names a path that is missing."""
    try:
        return [Image(target, content_tag(ROOT, target, " ".join([base, *arguments]))) for target in targets]
    except FileNotFoundError as error:
        raise ImagesError(str(error)) from error


def assemble_model() -> None:
    """Put the demonstration model together, unless that was done from the same sources."""
    stamp = MODEL.parent / f".{MODEL.name}.sources"
    sources = " ".join(
        f"{path.relative_to(ROOT)}:{path.stat().st_size}:{path.stat().st_mtime_ns}"
        for path in packaged_files(ROOT, ["tiny"])
    )
    if (MODEL / "config.json").is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == sources:
        return
    with timed("assembling the demonstration model"):
        done = subprocess.run(
            [sys.executable, "-m", "reranker_tiny", "assemble", "--output", str(MODEL)],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ImagesError(f"assembling the demonstration model failed:\n{done.stdout}")
    stamp.write_text(sources, encoding="utf-8")
