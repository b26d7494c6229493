"""The stand-ins for CUDA's libraries, loaded by the machine's real loader."""

from __future__ import annotations

import _ctypes
import ctypes
import importlib.util
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hack.images.names import ROOT

SCRIPT = ROOT / "hack" / "cpu-torch" / "stub_libraries.py"
MACHINES = {"x86_64": 62, "aarch64": 183}


@pytest.fixture(scope="module")
def stubs() -> ModuleType:
    specification = importlib.util.spec_from_file_location("stub_libraries", SCRIPT)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def machine() -> int:
    return MACHINES[platform.machine()]


def test_the_loader_takes_an_empty_library(stubs: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "libcublas.so.13"
    path.write_bytes(stubs.empty_library(machine(), path.name))
    library = ctypes.CDLL(str(path))
    with pytest.raises(AttributeError, match="cublasCreate"):
        _ = library.cublasCreate


def test_a_written_library_names_itself_and_needs_none(stubs: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "libnccl.so.2"
    path.write_bytes(stubs.empty_library(machine(), path.name))
    dynamic = subprocess.run(["readelf", "-dW", str(path)], check=True, capture_output=True, text=True).stdout
    assert "libnccl.so.2" in dynamic
    assert "NEEDED" not in dynamic


def test_needed_libraries_are_read_as_the_loader_reads_them(stubs: ModuleType) -> None:
    number, names = stubs.needed_libraries(Path(_ctypes.__file__))
    assert number == machine()
    assert any(name.startswith("libc.so") for name in names)


@pytest.fixture
def packages() -> Path:
    found = importlib.util.find_spec("torch")
    assert found
    assert found.origin
    return Path(found.origin).parent.parent


@pytest.fixture
def available(stubs: ModuleType, packages: Path) -> dict[str, Path]:
    """What the CPU image has: torch and the two libraries of CUDA that are installed for real."""
    patterns = ("torch/lib/*.so*", "nvidia/*/lib/libcudart.so*", "nvidia/*/lib/libcupti.so*")
    own = {path.name: path for pattern in patterns for path in packages.glob(pattern)}
    return {**stubs.system_libraries(), **own}


def test_of_what_torch_needs_the_absent_libraries_of_cuda_are_found(
    stubs: ModuleType, packages: Path, available: dict[str, Path]
) -> None:
    absent = dict(stubs.absent_libraries(stubs.torch_extension(packages), available))
    assert {"libcublas.so.13", "libcudnn.so.9", "libnccl.so.2", "libnvshmem_host.so.3"} <= set(absent)
    assert set(absent.values()) == {machine()}
    complete = available | {path.name: path for path in packages.glob("nvidia/*/lib/*.so*")}
    assert not dict(stubs.absent_libraries(stubs.torch_extension(packages), complete))


@pytest.mark.parametrize("name", ["libc10.so", "libcudart.so.13"])
def test_any_other_absent_library_is_an_error_that_names_it(
    stubs: ModuleType, packages: Path, available: dict[str, Path], name: str
) -> None:
    del available[name]
    with pytest.raises(LookupError, match=f"needs {name}, which"):
        dict(stubs.absent_libraries(stubs.torch_extension(packages), available))


def test_without_torch_it_fails_with_a_reason(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"there is no torch in {tmp_path}" in done.stderr
