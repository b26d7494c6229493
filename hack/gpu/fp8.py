"""fp8 beside bf16 on one GPU, 0.6B shape, random weights: device time, floor, drift, kernels, alternatives.

Usage: python3 -m hack.gpu.fp8 [FOLDER [what ...]], of table, drift, tiny, products, gate. FOLDER is a small
model with its prompts as `hack.gpu.tiny_prompts` writes it; `-` for none. Each part is a process of its own, ended when
its time is over: what fails or hangs there takes nothing else with it. All together take less than two minutes.
"""

import subprocess
import sys
import time
from collections.abc import Sequence

# Seconds that a part may take, and all together.
PARTS = {"table": 55.0, "drift": 35.0, "tiny": 25.0, "products": 25.0, "gate": 35.0}
TOGETHER = 112.0
LEAST = 8.0


def main(arguments: Sequence[str]) -> None:
    """Run the parts that are named, or all."""
    folder, *wanted = arguments or ["-"]
    deadline = time.monotonic() + TOGETHER
    for part in wanted or PARTS:
        left = min(PARTS[part], deadline - time.monotonic())
        if part == "tiny" and folder == "-":
            print("tiny: no folder was named", flush=True)
        elif left < LEAST:
            print(f"{part}: no time is left", flush=True)
        else:
            print(f"=== {part}, at most {left:.0f} s: {run(part, folder, left)}", flush=True)


def run(part: str, folder: str, seconds: float) -> str:
    """How a part ended; its lines go where ours go."""
    command = [sys.executable, "-m", "hack.gpu.fp8_parts", part, folder]
    try:
        code = subprocess.run(command, check=False, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return "ended, its time was over"
    return "done" if code == 0 else f"exit status {code}"


if __name__ == "__main__":
    main(sys.argv[1:])
