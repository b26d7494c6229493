"""What the person at the terminal sees while a run goes on; all of it on stderr, stdout is for the table."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from reranker_bench.load import Sample


class ConsoleProgress:
    """A progress bar on a terminal, and one line a run unless `quiet`. `total` None: not known."""

    def __init__(self, total: int | None, *, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._quiet = quiet
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begins(self, what: str) -> None:
        """Show what is being measured."""
        self._bar.update(self._task, description=what)

    def ended(self, what: str, sample: Sample, *, timed: bool) -> None:
        """Show what came of it; losses always, times only when not quiet."""
        self._bar.advance(self._task)
        if sample.reason is not None:
            self._line(f"{what}: LOST ({sample.reason.value}): {sample.detail}")
        elif not self._quiet and sample.ms is not None:
            self._line(f"{what}: {sample.ms:.1f} ms" + ("" if timed else " (not counted)"))

    def _line(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def say(text: str) -> None:
    """A line for the person, on stderr."""
    print(text, file=sys.stderr, flush=True)
