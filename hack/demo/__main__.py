"""From nothing to a ranked list in one command, on real parts.

`up` brings up the cluster, builds and loads the images, installs the chart, applies a RerankerDeployment, ranks
titles through it and benchmarks it from inside the cluster. `down` removes it all. Both can be run again at any time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from hack.demo.down import take_down
from hack.demo.progress import cost_table, run_steps
from hack.demo.shell import Shell
from hack.demo.up import Demo


def main() -> int:
    """Run the demo, or end it; the exit status is 1 when a step failed."""
    parser = argparse.ArgumentParser(prog="python -m hack.demo", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--save-svg", type=Path, help="also write the ranking and the sweep as an SVG picture")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    shell = Shell()
    if arguments.command == "down":
        return take_down(shell, console)
    demo = Demo(shell, console)
    costs = run_steps(demo.steps(), shell, console)
    if costs is None:
        return 1
    console.print()
    console.print(cost_table(costs))
    console.print(demo.next_words())
    if arguments.save_svg:
        demo.save_picture(arguments.save_svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
