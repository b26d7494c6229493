"""Makes the service run with its changed configuration: by the user's own restart command, or as our child process."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Protocol

STOP_S = 60.0
"""A service that drains gets this long after SIGTERM."""
LOG_LINES = 5


class ServiceError(Exception):
    """The service can't be started; the message says what it said last."""


class Supervisor(Protocol):
    """Knows how to get the service running anew."""

    def restart(self, log: Path) -> None:
        """Begin running it with the configuration as it is now; what it prints goes to `log`.

        Raises:
            ServiceError: if that can't be done.
        """

    def check(self) -> None:
        """Raise ServiceError when it is known not to come up any more."""

    def stop(self) -> None:
        """End what this supervisor started itself."""


class CommandSupervisor:
    """Runs the user's command, such as `systemctl restart reranker`, which returns when the restart is under way."""

    def __init__(self, command: str, timeout_s: float) -> None:
        self._command = command
        self._timeout_s = timeout_s

    def restart(self, log: Path) -> None:
        """Run the command to its end."""
        with log.open("wb") as output:
            try:
                done = subprocess.run(
                    ("/bin/sh", "-c", self._command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=self._timeout_s,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ServiceError(f"the restart command took over {self._timeout_s:g} s{_end_of(log)}") from error
        if done.returncode != 0:
            raise ServiceError(f"the restart command ended with status {done.returncode}{_end_of(log)}")

    def check(self) -> None:
        """Nothing is known beyond the command's end."""

    def stop(self) -> None:
        """The service is the user's, and goes on."""


class ChildSupervisor:
    """Runs the service as a child in a process group of its own, so that its own children end with it."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path(os.devnull)

    def restart(self, log: Path) -> None:
        """End the last one, start the next."""
        self.stop()
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ("/bin/sh", "-c", f"exec {self._command}"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def check(self) -> None:
        """Whether it still runs."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise ServiceError(f"the service ended with status {status}{_end_of(self._log)}")

    def stop(self) -> None:
        """SIGTERM, time to drain, then SIGKILL for whatever is left of the group."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_of(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"; the last it said ({log}): " + " | ".join(lines[-LOG_LINES:]) if lines else ""
