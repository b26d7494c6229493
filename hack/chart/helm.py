"""Where helm is: among the local cluster's tools, else on PATH."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def find_helm() -> str:
    """The program's path.

    Raises:
        FileNotFoundError: it is in neither place; the message says how to get it.
    """
    asked = subprocess.run(
        (str(ROOT / "hack" / "cluster" / "cluster"), "bin"), capture_output=True, text=True, timeout=60, check=False
    )
    built = Path(asked.stdout.strip()) / "helm"
    if asked.returncode == 0 and asked.stdout.strip() and built.is_file():
        return str(built)
    found = shutil.which("helm")
    if found is None:
        raise FileNotFoundError("helm is needed: `hack/cluster/cluster build` builds it")
    return found
