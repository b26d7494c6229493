"""Whether the engine is getting anywhere, without taking a slow batch for a dead one."""

import time
from collections.abc import Callable

# A step may take this many times the longest one seen while warming up with full batches.
TOLERANCE = 3.0


class Progress:
    """Stamped by the engine's thread at every step, read by the liveness probe.

    Plain attributes are enough: each is written by one thread, and a reader that sees an old stamp is off by one step.

    Args:
        stall_timeout_s: no step for so long while busy means stalled; longer where an honest step takes longer.
        clock: seconds, monotonic.
    """

    def __init__(self, stall_timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit = stall_timeout_s
        self._last = clock()
        self._busy = False

    def begin(self) -> None:
        """The engine has been given work."""
        self._last = self._clock()
        self._busy = True

    def step(self) -> None:
        """The engine has done a step."""
        self._last = self._clock()

    def end(self) -> None:
        """The engine has no work."""
        self._busy = False

    def calibrate(self, longest_step_s: float) -> None:
        """Take an honest step's length into account."""
        self._limit = max(self._limit, TOLERANCE * longest_step_s)

    def stalled_s(self) -> float | None:
        """Seconds since the last step if that is too long, else None."""
        waited = self._clock() - self._last
        return waited if self._busy and waited > self._limit else None
