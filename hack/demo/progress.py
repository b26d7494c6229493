"""Steps with a title, a clock, and what each one took of the machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hack.demo.shell import ROOT, Shell, StepError


@dataclass(frozen=True)
class Step:
    """One step: `diagnose` are the commands whose output matters when it fails."""

    title: str
    action: Callable[[], None]
    diagnose: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Cost:
    """What a step took: seconds, and by how much the machine's used memory and disk grew, in MiB."""

    title: str
    seconds: float
    memory_mib: float
    disk_mib: float


def used_memory_mib() -> float:
    """Memory that can't be had without swapping, in MiB."""
    fields = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in Path("/proc/meminfo").read_text().splitlines())
    }
    return (fields["MemTotal"] - fields["MemAvailable"]) / 1024


def used_disk_mib() -> float:
    """Used space of the file system that holds the checkout, in MiB."""
    return shutil.disk_usage(ROOT).used / 2**20


def run_steps(steps: Sequence[Step], shell: Shell, console: Console) -> list[Cost] | None:
    """Run the steps in order; None when one failed, after what matters about it was shown."""
    costs = []
    for number, step in enumerate(steps, start=1):
        console.print(f"\n[bold]{number}/{len(steps)} {step.title}[/bold]")
        started, memory, disk = time.monotonic(), used_memory_mib(), used_disk_mib()
        try:
            step.action()
        except StepError as error:
            show_failure(step, error, shell, console)
            return None
        cost = Cost(step.title, time.monotonic() - started, used_memory_mib() - memory, used_disk_mib() - disk)
        costs.append(cost)
        console.print(f"[green]done[/green] in {cost.seconds:.0f} s")
    return costs


def show_failure(step: Step, error: StepError, shell: Shell, console: Console) -> None:
    """Say which step failed and why, and show the logs that matter for it."""
    console.print(f"[bold red]failed: {step.title}[/bold red]")
    console.print(str(error), markup=False)
    for command in step.diagnose:
        console.print(f"[dim]--- {' '.join(command)}[/dim]")
        shell.try_run(command)
    console.print(
        f"[bold red]The demo stopped at: {step.title}.[/bold red] Mend it and run it again: it goes on from there."
    )


def cost_table(costs: Sequence[Cost]) -> Table:
    """The table of what each step took."""
    table = Table("step", title="What it took", title_justify="left")
    for heading in ("s", "memory, MiB", "disk, MiB"):
        table.add_column(heading, justify="right")
    for cost in costs:
        table.add_row(cost.title, f"{cost.seconds:.0f}", f"{cost.memory_mib:+.0f}", f"{cost.disk_mib:+.0f}")
    table.add_section()
    table.add_row(
        "all",
        f"{sum(cost.seconds for cost in costs):.0f}",
        f"{sum(cost.memory_mib for cost in costs):+.0f}",
        f"{sum(cost.disk_mib for cost in costs):+.0f}",
    )
    return table
