"""The GPU's forward pass, its kernels interpreted on a CPU, against the plain path: indices, masks and arithmetic.

Speed, and the compiled kernels' rounding, can only be seen on a GPU; see hack/gpu.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Model

PROGRAM = Path(__file__).with_name("interpreted.py")


@pytest.mark.parametrize(
    ("shape", "keys_ready", "padding", "fused", "fp8"),
    [
        ({"heads": 4, "kv_heads": 2, "head_dim": 32}, 0, 0, 0, 0),
        ({"heads": 4, "kv_heads": 2, "head_dim": 32}, 1, 5, 1, 0),
        ({"heads": 3, "kv_heads": 1, "head_dim": 32, "tied": False, "hidden_size": 40}, 0, 3, 0, 0),
        ({"heads": 4, "kv_heads": 2, "head_dim": 32}, 1, 0, 0, 1),
        ({"heads": 6, "kv_heads": 2, "head_dim": 32, "num_hidden_layers": 3}, 1, 5, 1, 1),
    ],
    ids=str,
)
def test_interpreted_forward_equals_the_plain_path(  # noqa: PLR0917 - a row of the table above
    make_model: Callable[..., Model], shape: dict[str, int], keys_ready: int, padding: int, fused: int, fp8: int
) -> None:
    model = make_model(**({"num_hidden_layers": 2} | shape))
    options = map(str, (5, keys_ready, padding, fused, fp8))
    command = [sys.executable, PROGRAM, model.folder, *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.split()[-1]) < 1e-4
