"""Empty stand-ins for the CUDA libraries that the package index's torch is linked against, so that it loads without.

The loader refuses `import torch` when a library that it names is absent, though a machine without a GPU never calls
into one. This writes, beside torch's own libraries, an empty shared object for each absent one, and a `.pth` file that
has Python load libraries lazily: a symbol is then looked for when it is first called, which is never. Nothing is
compiled. See the README beside this file for when not to use it.
"""

from __future__ import annotations

import argparse
import mmap
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Only these may be replaced: the absence of any other library is an error of the image.
CUDA_LIBRARY = re.compile(r"lib(cu(blas|blasLt|dnn|fft|file|rand|solver|sparse|sparseLt)|nv\w+|nccl)\.so(\.\d+)*")
LAZY_LOADING = "import os, sys; sys.setdlopenflags(os.RTLD_LAZY)\n"

SECTION_DYNAMIC = 6
NEEDED, HASH, STRING_TABLE, SYMBOL_TABLE, STRINGS_SIZE, SYMBOL_SIZE, SONAME = 1, 4, 5, 6, 10, 11, 14
PAGE = 0x1000
SECTION = struct.Struct("<IIQQQQIIQQ")
SEGMENT = struct.Struct("<IIQQQQQQ")
DYNAMIC = struct.Struct("<qQ")


def needed_libraries(path: Path) -> tuple[int, list[str]]:
    """The machine number of a 64-bit little-endian ELF file, and the names of the libraries that it needs."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is not a 64-bit little-endian ELF file")
        (machine,) = struct.unpack_from("<H", data, 18)
        (start,) = struct.unpack_from("<Q", data, 40)
        size, count = struct.unpack_from("<HH", data, 58)
        sections = [SECTION.unpack_from(data, start + index * size) for index in range(count)]
        names = []
        for _, kind, _, _, offset, length, link, *_ in sections:
            if kind == SECTION_DYNAMIC:
                strings = sections[link][4]
                for tag, value in DYNAMIC.iter_unpack(data[offset : offset + length]):
                    if tag == NEEDED:
                        begin = strings + value
                        names.append(data[begin : data.find(b"\0", begin)].decode())
    return machine, names


def empty_library(machine: int, name: str) -> bytes:
    """A shared object called `name` without a symbol, for the given ELF machine number."""
    strings = b"\0" + name.encode() + b"\0"
    at_symbols = 64 + 3 * SEGMENT.size
    at_hash = at_symbols + 24  # one symbol, the null one
    at_strings = at_hash + 16
    at_dynamic = -(-(at_strings + len(strings)) // PAGE) * PAGE
    tables = bytes(24) + struct.pack("<4I", 1, 1, 0, 0) + strings
    dynamic = b"".join(
        DYNAMIC.pack(tag, value)
        for tag, value in (
            (SONAME, 1), (HASH, at_hash), (STRING_TABLE, at_strings), (SYMBOL_TABLE, at_symbols),
            (STRINGS_SIZE, len(strings)), (SYMBOL_SIZE, 24), (0, 0),
        )
    )  # fmt: skip

    def segment(kind: int, flags: int, offset: int, size: int, alignment: int) -> bytes:
        return SEGMENT.pack(kind, flags, offset, offset, offset, size, size, alignment)

    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, machine, 1, 0, 64, 0, 0, 64, SEGMENT.size, 3, 64, 0, 0
    )
    # One writable segment for all of it; the last one tells the loader that no executable stack is wanted.
    size = at_dynamic + len(dynamic)
    segments = (
        segment(1, 6, 0, size, PAGE) + segment(2, 6, at_dynamic, len(dynamic), 8) + segment(0x6474E551, 6, 0, 0, 16)
    )
    return (header + segments + tables).ljust(at_dynamic, b"\0") + dynamic


def system_libraries() -> dict[str, Path]:
    """Name -> path of what the loader finds by itself."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    return {name: Path(path) for name, path in re.findall(r"^\s+(\S+) \([^)]*\) => (\S+)$", listing, re.MULTILINE)}


def absent_libraries(entry: Path, available: dict[str, Path]) -> Iterator[tuple[str, int]]:
    """Name and machine number of each library that `entry`, or a library below it, needs and that is not available.

    A `LookupError` names an absent library that is not of CUDA.
    """
    waiting, seen = [entry], set()
    while waiting:
        path = waiting.pop()
        machine, names = needed_libraries(path)
        for name in names:
            if name in seen:
                continue
            seen.add(name)
            if name in available:
                waiting.append(available[name])
            elif CUDA_LIBRARY.fullmatch(name):
                yield name, machine
            else:
                raise LookupError(f"{path} needs {name}, which is neither installed nor a library of CUDA")


def torch_extension(packages: Path) -> Path:
    """The library that `import torch` loads, with all that it needs; a `LookupError` when there is no torch."""
    for path in packages.glob("torch/_C.*.so"):
        return path
    raise LookupError(f"there is no torch in {packages}")


def main() -> int:
    """Write the stubs that the torch of a virtual environment needs; the exit status is 1 when that can't work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", type=Path, help="the site-packages folder with torch in it")
    packages = parser.parse_args().packages
    available = system_libraries() | {
        path.name: path for folder in ("torch/lib", "nvidia/*/lib") for path in packages.glob(f"{folder}/*.so*")
    }
    try:
        stubs = dict(absent_libraries(torch_extension(packages), available))
    except (LookupError, ValueError) as error:
        print(f"stub_libraries: {error}", file=sys.stderr)
        return 1
    for name, machine in stubs.items():
        (packages / "torch" / "lib" / name).write_bytes(empty_library(machine, name))
    (packages / "torch_loads_lazily.pth").write_text(LAZY_LOADING, encoding="utf-8")
    print(f"stub_libraries: {' '.join(sorted(stubs))}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
