"""What the commands tell a waiting person, on standard error: standard output is for the names of the images."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hack.images.names import ImagesError

# A step that takes this long is announced while it runs; shorter ones are not worth a line.
PATIENCE_S = 2.0
LOG_LINES = 40


def say(message: str) -> None:
    """One line for the person who waits."""
    print(f"images: {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Say what begins, and how many seconds it took."""
    say(what)
    started = time.monotonic()
    yield
    say(f"{what}: done in {time.monotonic() - started:.0f} s")


class StepClock:
    """Follows the output of a build, and tells of the steps that take long."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.step: str | None = None
        self.started = 0.0
        self.announced = False
        self.lock = threading.Lock()

    def read(self, line: str) -> None:
        """Take one line of the build's output."""
        found = re.match(r"(?:\[\d+/\d+\] )?STEP \d+/\d+: (.*)", line)
        if found:
            self.begin(shorten(found[1]))
        elif line.startswith(("-->", "COMMIT")):
            self.begin(None)

    def begin(self, step: str | None) -> None:
        """The step before has ended, and `step` begins."""
        with self.lock:
            if self.announced:
                say(f"{self.label}:   {time.monotonic() - self.started:.0f} s")
            self.step, self.started, self.announced = step, time.monotonic(), False

    def tick(self) -> None:
        """Announce the step that runs, once it has taken long."""
        with self.lock:
            if self.step and not self.announced and time.monotonic() - self.started > PATIENCE_S:
                say(f"{self.label}: {self.step}")
                self.announced = True


def shorten(step: str) -> str:
    """A step's instruction without its mounts, on at most 100 characters."""
    plain = " ".join(re.sub(r"--mount=\S+", "", step).split())
    return plain if len(plain) <= 100 else f"{plain[:97]}..."


def run_logged(command: Sequence[str], log: Path, label: str, *, environment: dict[str, str] | None = None) -> None:
    """Run a command with its output going to a file; when it fails, an `ImagesError` shows the file's end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    clock = StepClock(label)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            clock.tick()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with (
            log.open("w", encoding="utf-8") as file,
            subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace",
            ) as process,
        ):  # fmt: skip
            for line in process.stdout or ():
                file.write(line)
                file.flush()
                clock.read(line)
    finally:
        ended.set()
        watcher.join()
    clock.begin(None)
    if process.returncode:
        tail = "\n".join(f"  | {line}" for line in log.read_text(encoding="utf-8").splitlines()[-LOG_LINES:])
        raise ImagesError(
            f"{label}: `{' '.join(command[:2])} ...` ended with exit status {process.returncode}; "
            f"the end of {log}:\n{tail}"
        )
