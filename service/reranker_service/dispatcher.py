"""Between the requests on the event loop and the one thread that owns the engine."""

import asyncio
import gc
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from reranker_service.engines.protocol import Answers, Collect, Engine, EngineDead, EngineError, LogOdds
from reranker_service.pacing import SMOOTHING, Pace
from reranker_service.progress import Progress
from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.work_queue import Job, Part, Submission, WorkQueue, cost

log = logging.getLogger(__name__)

# How long before a submission's expected end the next one is chosen: this, and as long as it usually takes to begin
# one. Choosing later lets a request that comes in meanwhile into it; choosing too late lets the device wait.
LEAD_S = 0.002
# How often the device is asked meanwhile whether it has finished earlier.
POLL_S = 0.0005
# How soon a thread that wants the interpreter gets it from one that computes. The default of 5 ms is as long as a
# small request takes, and the engine's thread needs the interpreter each time that its device has finished.
SWITCH_INTERVAL_S = 0.0005

Outcome = LogOdds | EngineError


class SubmissionObserver(Protocol):
    """Told of each submission, on the event loop."""

    def __call__(self, *, documents: int, tokens: int, seconds: float) -> None:
        """`documents` prompts of `tokens` ids in all took the engine `seconds`."""


@dataclass(frozen=True, slots=True)
class Running:
    """A submission that the engine has begun; `begun_at` is when nothing stood before it any more."""

    submission: Submission
    collect: Collect
    cost: int
    begun_at: float


class Dispatcher:
    """Runs an engine in its own thread and feeds it from a queue shared by all requests.

    Args:
        engine: used from the thread only, but for `health`.
        progress: stamped around every submission.
        sort_by_length: whether a request's prompts go in longest first, chunk by chunk.
        on_submission: told of every submission.
    """

    def __init__(
        self, engine: Engine, progress: Progress, *, sort_by_length: bool, on_submission: SubmissionObserver
    ) -> None:
        self._engine = engine
        self._progress = progress
        self._sort = sort_by_length
        self._on_submission = on_submission
        self._queue = WorkQueue()
        self._waiting: dict[Job, tuple[asyncio.Future[None], Callable[[int], None]]] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: str | None = None
        self._pace = Pace()
        self._begin_s = 0.0
        self._free_at = 0.0

    def start(self, load: Callable[[], None], *, on_loaded: Callable[[BaseException | None], None]) -> None:
        """Start the thread. It runs `load`, tells `on_loaded` the error or None (on the event loop), then scores."""
        self._loop = asyncio.get_running_loop()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        # A daemon: an engine call that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, args=(load, on_loaded), name="engine", daemon=True)
        self._thread.start()

    async def score(
        self, chunks: Iterator[Prompts], documents: int, on_scored: Callable[[int], None], *, in_place: bool = False
    ) -> Job:
        """Score a request's prompts together with whatever else is waiting.

        Cancelling takes back all that has not reached the engine.

        Args:
            chunks: the prompts, in order. Iterated in a thread of its own; what has come can be scored meanwhile.
            documents: how many prompts there will be in all.
            on_scored: called with each number of documents done.
            in_place: iterate `chunks` here, because they take less time than a thread's answer.

        Returns:
            The finished job, with log-odds in the prompts' order and its times.

        Raises:
            EngineError: at least one prompt could not be scored.
            Exception: whatever iterating `chunks` raises.
        """
        # An engine that takes tokens rather than documents lays them out itself, in the order that suits its device.
        capacity = self._engine.capacity
        laid_out = capacity.overlaps and capacity.batch_tokens is not None
        job = Job(documents, sort=self._sort and not laid_out)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[job] = done, on_scored
        self._queue.put(job)
        try:
            if in_place:
                self._fill(job, chunks)
            else:
                await asyncio.to_thread(self._fill, job, chunks)
            await done
        finally:
            self._queue.remove(job)
            del self._waiting[job]
            if done.done() and not done.cancelled():
                done.exception()  # has been seen, also where something else ended the wait
        return job

    def _fill(self, job: Job, chunks: Iterator[Prompts]) -> None:
        for prompts in chunks:
            if not self._queue.add(job, prompts):
                return

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
        reason = self._failure or self._engine.health()
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
            # What a model and its libraries consist of stays; without this each full collection would look at all of it
            # again, for a tenth of a second in the middle of a request.
            gc.collect()
            gc.freeze()
            self._post(on_loaded, None)
            try:
                self._serve()
            except Exception as error:
                # A mistake in here, not in the engine. Nobody shall wait for what will never come.
                log.exception("the engine's thread has failed")
                self._failure = f"the engine's thread has failed: {type(error).__name__}: {error}"
                self._post(self.abort, EngineDead(self._failure))
        try:
            self._engine.close()
        except Exception:
            log.exception("closing the engine failed")

    def _serve(self) -> None:
        """Score until the queue is closed, with as many submissions under way as the engine takes."""
        running: deque[Running] = deque()
        while True:
            if running:
                self._await_turn(running[-1])
            capacity = self._engine.capacity
            submission = self._queue.take(capacity, wait=not running)
            if submission is not None:
                running.append(self._begin(submission))
            elif not running:
                return
            if submission is None or len(running) >= capacity.submissions:
                self._finish(running.popleft())
            if not running:
                self._progress.end()

    def _await_turn(self, running: Running) -> None:
        """Leave open what comes next for as long as the device has enough to do."""
        until = running.begun_at + self._pace.expected(running.cost) - LEAD_S - self._begin_s
        while (left := until - time.monotonic()) > 0 and not self._engine.takes_more():
            time.sleep(min(left, POLL_S))

    def _begin(self, submission: Submission) -> Running:
        self._progress.begin()
        started = time.monotonic()
        prompts = submission.prompts
        try:
            collect = self._engine.submit(prompts)
        except Exception as error:  # noqa: BLE001 - told when the answers are asked for, as all failures are
            failure = error

            def collect() -> Answers:
                raise failure

        self._begin_s += (time.monotonic() - started - self._begin_s) * SMOOTHING
        return Running(submission, collect, sum(map(cost, prompts)), max(started, self._free_at))

    def _finish(self, running: Running) -> None:
        began = max(running.begun_at, self._free_at)
        outcomes, device_s = self._outcomes(running.submission, running.collect)
        self._progress.step()
        seconds = time.monotonic() - began if device_s is None else device_s
        log.debug(
            "%d ids: %.1f ms, begun %.1f ms after those before had ended, known %.1f ms later",
            running.cost, 1e3 * seconds, 1e3 * (running.begun_at - self._free_at),
            1e3 * (time.monotonic() - began - seconds),
        )  # fmt: skip
        self._free_at = began + seconds
        self._pace.observe(running.cost, seconds)
        self._post(self._deliver, running.submission, outcomes, seconds)

    def _outcomes(self, submission: Submission, collect: Collect) -> tuple[list[Outcome], float | None]:
        """One outcome per part, and the device's seconds where they are known.

        When a shared call fails, each request gets a call of its own: one may be at fault.
        """
        parts = submission.parts
        try:
            answers = self._collected(collect, sum(part.documents for part in parts))
        except EngineError as error:
            if len(parts) == 1 or isinstance(error, EngineDead):
                return [error] * len(parts), None
            log.warning("a call for %d requests failed (%s); scoring them apart", len(parts), error)
            return [self._alone(part) for part in parts], None
        ends = np.cumsum([part.documents for part in parts])
        return list(np.split(answers.log_odds, ends[:-1])), answers.device_s

    def _alone(self, part: Part) -> Outcome:
        running = self._begin(Submission([part]))
        return self._outcomes(running.submission, running.collect)[0][0]

    @staticmethod
    def _collected(collect: Collect, documents: int) -> Answers:
        try:
            answers = collect()
        except EngineError:
            raise
        except Exception as error:
            log.exception("the engine raised what it should not")
            raise EngineError(f"{type(error).__name__}: {error}") from error
        if len(answers.log_odds) != documents:
            raise EngineError(f"the engine returned {len(answers.log_odds)} scores for {documents} prompts")
        return answers

    def _post(self, function: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None  # noqa: S101 - set before the thread starts
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody is waiting any more
            log.debug("dropped a result after the end")

    # On the event loop.

    def _deliver(self, submission: Submission, outcomes: list[Outcome], seconds: float) -> None:
        prompts = submission.prompts
        tokens = sum(each.tokens for each in prompts)
        self._on_submission(documents=sum(map(len, prompts)), tokens=tokens, seconds=seconds)
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
        if part.job.store(part.places, outcome):
            done.set_result(None)
