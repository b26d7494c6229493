"""How long a device will take for a submission, learnt from what earlier ones took."""

SMOOTHING = 0.2


class Pace:
    """Seconds by cost. Small submissions take longer for each id than large ones: each power of two has a pace."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def expected(self, cost: int) -> float:
        """Seconds that `cost` ids will take; 0.0 as long as nothing is known, and rather too few than too many."""
        known = self._seconds.get(cost.bit_length())
        if known is None:
            known = min(self._seconds.values(), default=0.0)
        return known * cost

    def observe(self, cost: int, seconds: float) -> None:
        """`cost` ids took so long."""
        size, each = cost.bit_length(), seconds / max(1, cost)
        known = self._seconds.get(size, each)
        self._seconds[size] = known + (each - known) * SMOOTHING
