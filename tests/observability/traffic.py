"""Real requests of every kind that the dashboards tell apart."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Self

import httpx

SIZES = (5, 50, 100, 150, 300, 500, 700, 1000)
WORDS = (
    "red",
    "blue",
    "warm",
    "light",
    "running",
    "leather",
    "cotton",
    "summer",
    "winter",
    "wide",
    "slim",
    "women",
    "men",
)


class Traffic:
    """Clients that ask until they are stopped; what came back is counted by status."""

    def __init__(self, urls: list[str], clients: int = 2) -> None:
        self.answers: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(url, seed), daemon=True)
            for seed, url in enumerate(urls * clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _client(self, url: str, seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(base_url=url, timeout=60) as client:
            while not self._stop.is_set():
                for size in chance.sample(SIZES, len(SIZES)):
                    self._ask(client, {"query": "running shoes", "documents": documents(chance, size)})
                    if self._stop.is_set():
                        return
                self._ask(client, {"query": "shoes", "documents": []})
                self._ask(client, {"query": "shoes", "documents": ["long " * 400, "the same", "the same"]})
                time.sleep(0.05)

    def _ask(self, client: httpx.Client, body: dict[str, object]) -> None:
        try:
            status = client.post("/rerank", json=body).status_code
        except httpx.TransportError:
            status = 0
        with self._lock:
            self.answers[status] += 1


def documents(chance: random.Random, count: int) -> list[str]:
    """Titles; one in twenty comes twice."""
    made = [
        f"{' '.join(chance.choices(WORDS, k=chance.randint(3, 12)))} {chance.randint(0, 999)}" for _ in range(count)
    ]
    for place in range(0, count - 1, 20):
        made[place] = made[place + 1]
    return made
