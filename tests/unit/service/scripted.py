"""A deterministic engine for faults that a real one can't be made to have."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import numpy as np

from reranker_service.engines.protocol import Answers, Capacity, Checkpoint, Collect
from reranker_service.scoring.prompt_arrays import Prompts

PATIENCE_S = 30


class ScriptedEngine:
    """Scores by a fixed rule; can be held, made to fail, and asked what it was given."""

    version = "scripted 1"

    def __init__(self, *, batch_documents: int = 100, max_prompt_tokens: int = 160) -> None:
        self.capacity = Capacity(max_prompt_tokens=max_prompt_tokens, batch_documents=batch_documents)
        self.calls: list[list[list[int]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.load_gate = threading.Event()
        self.load_gate.set()
        self.load_error: Exception | None = None
        self.fail: Callable[[list[list[int]]], Exception | None] = lambda _: None
        self.rule: Callable[[list[int]], float] = rule
        self.trouble: str | None = None
        self.closed = False
        self.on_step: Callable[[], None] = lambda: None

    def load(self, checkpoint: Checkpoint, on_step: Callable[[], None]) -> None:
        del checkpoint
        self.on_step = on_step
        assert self.load_gate.wait(PATIENCE_S)
        if self.load_error is not None:
            raise self.load_error

    def score(self, prompts: list[list[int]]) -> list[float]:
        self.calls.append(prompts)
        self.entered.release()
        assert self.gate.wait(PATIENCE_S)
        error = self.fail(prompts)
        if error is not None:
            raise error
        return [self.rule(ids) for ids in prompts]

    def submit(self, batch: Sequence[Prompts]) -> Collect:
        prompts = [ids for prompts in batch for ids in prompts.lists()]
        return lambda: Answers(np.asarray(self.score(prompts), np.float64))

    def takes_more(self) -> bool:
        return True

    def health(self) -> str | None:
        return self.trouble

    def close(self) -> None:
        self.closed = True

    async def wait_entered(self) -> None:
        """Until one more call has begun."""
        assert await asyncio.to_thread(self.entered.acquire, True, PATIENCE_S)

    def forget_warmup(self) -> None:
        self.calls.clear()
        while self.entered.acquire(blocking=False):
            pass


def rule(ids: list[int]) -> float:
    """Log-odds that differ between prompts and are the same on every run."""
    return (sum((place + 1) * token for place, token in enumerate(ids)) % 10007) / 1000 - 5
