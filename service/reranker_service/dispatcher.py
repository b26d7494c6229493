"""Between the requests on the event loop and the one thread that owns the engine."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from reranker_service.engines.protocol import Engine, EngineDead, EngineError
from reranker_service.progress import Progress
from reranker_service.work_queue import Job, Part, Submission, WorkQueue

log = logging.getLogger(__name__)

Outcome = list[float] | EngineError


class SubmissionObserver(Protocol):
    """Told of each engine call, on the event loop."""

    def __call__(self, *, documents: int, tokens: int, seconds: float) -> None:
        """`documents` prompts of `tokens` ids in all took `seconds`."""


class Dispatcher:
    """Runs an engine in its own thread and feeds it from a queue shared by all requests.

    Args:
        engine: used from the thread only, but for `health`.
        progress: stamped around every submission.
        sort_by_length: whether a request's prompts go in longest first.
        on_submission: told of every engine call.
    """

    def __init__(
        self, engine: Engine, progress: Progress, *, sort_by_length: bool, on_submission: SubmissionObserver
    ) -> None:
        self._engine = engine
        self._progress = progress
        self._sort = sort_by_length
        self._on_submission = on_submission
        self._queue = WorkQueue(engine.capacity.batch_documents)
        self._waiting: dict[Job, tuple[asyncio.Future[None], Callable[[int], None]]] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, load: Callable[[], None], *, on_loaded: Callable[[BaseException | None], None]) -> None:
        """Start the thread. It runs `load`, tells `on_loaded` the error or None (on the event loop), then scores."""
        self._loop = asyncio.get_running_loop()
        # A daemon: an engine call that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, args=(load, on_loaded), name="engine", daemon=True)
        self._thread.start()

    async def score(self, prompts: list[list[int]], on_scored: Callable[[int], None]) -> Job:
        """Score prompts together with whatever else is waiting.

        Cancelling takes back all that has not reached the engine. `on_scored` is called with each number of documents
        done.

        Returns:
            The finished job, with log-odds in the prompts' order and its times.

        Raises:
            EngineError: at least one prompt could not be scored.
        """
        job = Job(prompts, sort=self._sort)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[job] = done, on_scored
        self._queue.put(job)
        try:
            await done
        finally:
            self._queue.remove(job)
            del self._waiting[job]
        return job

    def abort(self, error: Exception) -> None:
        """Fail every waiting request at once."""
        for done, _ in self._waiting.values():
            if not done.done():
                done.set_exception(error)

    def trouble(self) -> str | None:
        """Why nothing will be scored any more, or None. Known at any time, without asking the engine's thread."""
        stalled = self._progress.stalled_s()
        if stalled is not None:
            return f"no engine step for {stalled:.0f} s with work queued"
        reason = self._engine.health()
        if reason is None and self._thread is not None and not self._thread.is_alive():
            return "the engine's thread has ended"
        return reason

    async def close(self, timeout_s: float) -> bool:
        """End the thread and the engine; False when it did not end in time."""
        self._queue.close()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, timeout_s)
            return not self._thread.is_alive()
        return True

    # In the engine's thread.

    def _run(self, load: Callable[[], None], on_loaded: Callable[[BaseException | None], None]) -> None:
        try:
            load()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is reported and ends the process
            self._post(on_loaded, error)
        else:
            self._post(on_loaded, None)
            while (submission := self._queue.take()) is not None:
                self._process(submission)
        try:
            self._engine.close()
        except Exception:
            log.exception("closing the engine failed")

    def _process(self, submission: Submission) -> None:
        self._progress.begin()
        started = time.monotonic()
        outcomes = self._score(submission)
        seconds = time.monotonic() - started
        self._progress.end()
        self._post(self._deliver, submission, outcomes, seconds)

    def _score(self, submission: Submission) -> list[Outcome]:
        """One outcome per part. When a shared call fails, each request gets a call of its own: one may be at fault."""
        try:
            scores = self._call(submission.prompts)
        except EngineError as error:
            if len(submission.parts) == 1 or isinstance(error, EngineDead):
                return [error] * len(submission.parts)
            log.warning("a call for %d requests failed (%s); scoring them apart", len(submission.parts), error)
            return [self._score(Submission([part]))[0] for part in submission.parts]
        values = iter(scores)
        return [[next(values) for _ in range(part.start, part.stop)] for part in submission.parts]

    def _call(self, prompts: list[list[int]]) -> list[float]:
        try:
            scores = self._engine.score(prompts)
        except EngineError:
            raise
        except Exception as error:
            log.exception("the engine raised what it should not")
            raise EngineError(f"{type(error).__name__}: {error}") from error
        if len(scores) != len(prompts):
            raise EngineError(f"the engine returned {len(scores)} scores for {len(prompts)} prompts")
        return scores

    def _post(self, function: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None  # noqa: S101 - set before the thread starts
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody is waiting any more
            log.debug("dropped a result after the end")

    # On the event loop.

    def _deliver(self, submission: Submission, outcomes: list[Outcome], seconds: float) -> None:
        prompts = submission.prompts
        self._on_submission(documents=len(prompts), tokens=sum(map(len, prompts)), seconds=seconds)
        for part, outcome in zip(submission.parts, outcomes, strict=True):
            self._deliver_part(part, outcome)

    def _deliver_part(self, part: Part, outcome: Outcome) -> None:
        done, on_scored = self._waiting.get(part.job, (None, None))
        if done is None or on_scored is None or done.done():
            return  # its client is gone, or another part of it failed
        if isinstance(outcome, EngineError):
            done.set_exception(outcome)
            return
        on_scored(len(outcome))
        if part.job.store(part.start, outcome):
            done.set_result(None)
