"""Checks and builds a release into dist/: `python -m hack.release [--final] [--no-images]`."""

import argparse
import shutil
import sys
from pathlib import Path

from hack.release import artifacts, versions

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Check, build, list with checksums; the exit status is 1 when something doesn't fit."""
    parser = argparse.ArgumentParser(prog="python -m hack.release", description=__doc__)
    parser.add_argument("--final", action="store_true", help="the changelog must have a dated section of this version")
    parser.add_argument("--no-images", action="store_true", help="leave out the images, which take minutes")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="a folder, which is emptied (%(default)s)")
    chosen = parser.parse_args()

    faults = versions.faults(ROOT, final=chosen.final)
    for fault in faults:
        print(f"release-check: {fault}", file=sys.stderr)
    if faults:
        return 1
    try:
        files = build(chosen.output, with_images=not chosen.no_images)
    except (artifacts.ReleaseError, FileNotFoundError) as error:
        print(f"release-check: {error}", file=sys.stderr)
        return 1
    print(f"version {versions.project_version(ROOT)}")
    lines = [f"{artifacts.sha256(file)}  {file.name}" for file in files]
    (chosen.output / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for file, line in zip(files, lines, strict=True):
        print(f"  {file.stat().st_size:>13,} bytes  {line}")
    return 0


def build(output: Path, *, with_images: bool) -> list[Path]:
    """Everything, into an empty folder."""
    version = versions.project_version(ROOT)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    package = artifacts.chart(ROOT, output, version)
    artifacts.chart_renders(package, version)
    archives = artifacts.images(ROOT, output) if with_images else []
    bills = [artifacts.bill_of_image(ROOT, archive, version) for archive in archives]
    described = {bill.name.removeprefix("sbom-").removesuffix(".cdx.json") for bill in bills}
    bills += artifacts.bills(ROOT, output, [role for role in artifacts.ROLES if role not in described])
    artifacts.validate(ROOT, bills)
    return [artifacts.wheel(ROOT, output, version), package, *bills, *archives]


if __name__ == "__main__":
    sys.exit(main())
