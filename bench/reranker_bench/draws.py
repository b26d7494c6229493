"""Which titles a request carries.

A title that a server has seen before costs it less (prefix cache, deduplication), and a sweep whose later sizes send
what the earlier ones sent already measures the cache. So each request draws from the titles that no request of the
run has had: with the built-in titles the whole sweep of the method repeats nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence


class Draws:
    """Draws titles without putting them back, each draw by a generator of its own seeded by (seed, n, repeat).

    The same titles, the same seed and the same sequence of draws give the same requests, everywhere. Once too few
    titles are left for a request, all of them go back into the pool and `reused` counts what may come twice.
    """

    def __init__(self, titles: Sequence[str], seed: int) -> None:
        self._titles = tuple(titles)
        self._seed = seed
        self._pool = list(self._titles)
        self._refilled = False
        self.reused = 0
        """Titles drawn since the pool had to be filled again; 0 says that nothing in this run came twice."""

    def draw(self, documents: int, repeat: str | int) -> list[str]:
        """Draw `documents` distinct titles for the request called `repeat` among those of this size.

        Raises:
            ValueError: if there are fewer titles than one request needs.
        """
        if documents > len(self._titles):
            raise ValueError(f"a request of {documents} documents needs more titles than the {len(self._titles)} given")
        if documents > len(self._pool):
            self._pool = list(self._titles)
            self._refilled = True
        generator = random.Random(f"{self._seed}/{documents}/{repeat}")
        drawn = [self._take(generator) for _ in range(documents)]
        if self._refilled:
            self.reused += documents
        return drawn

    def _take(self, generator: random.Random) -> str:
        # By random() alone, the one method whose sequence Python promises to keep between versions.
        at = int(generator.random() * len(self._pool))
        self._pool[at], self._pool[-1] = self._pool[-1], self._pool[at]
        return self._pool.pop()
