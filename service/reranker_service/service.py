"""Ranking documents for a query: the path of one request, independent of any HTTP dialect."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reranker_service import __version__
from reranker_service.admission import Admission, Reservation
from reranker_service.dispatcher import Dispatcher
from reranker_service.engines.protocol import Engine
from reranker_service.errors import DeadlineExceeded, DocumentTooLong, InvalidRequest, NotServing
from reranker_service.lifecycle import Lifecycle, Phase
from reranker_service.loading import LoadedModel, Loader
from reranker_service.metrics import Metrics
from reranker_service.progress import Progress
from reranker_service.scoring.dedup import Deduplicated, deduplicate
from reranker_service.scoring.ordering import rank
from reranker_service.scoring.prompts import NO_LIMITS, Limits, Prompt
from reranker_service.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What one request wants scored, in whatever dialect it was asked.

    `pairs` are (query, document). `truncate` False makes a document that would be cut an error.
    """

    pairs: Sequence[tuple[str, str]]
    instruction: str | None = None
    limits: Limits = NO_LIMITS
    truncate: bool = True


@dataclass(frozen=True, slots=True)
class Ranking:
    """The pairs of one request, best first.

    `order` holds indices into the request's pairs; `log_odds` and `truncated` are by that index. `prompt_tokens` counts
    the tokens that were scored, an exact duplicate's once. `timings` are the seconds of each stage: `tokenize`,
    `queue` (until the first engine call) and `engine` (from there to the last answer).
    """

    order: list[int]
    log_odds: list[float]
    truncated: list[bool]
    prompt_tokens: int
    timings: dict[str, float]


class RerankService:
    """One engine and everything around it that lives as long as the process.

    Args:
        settings: validated configuration.
        engine: not loaded yet.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.lifecycle = Lifecycle()
        self.metrics = Metrics(backend=settings.backend, instruction_format=settings.instruction_format)
        self.metrics.engine_up.set_function(lambda: float(self.trouble() is None and self.model is not None))
        progress = Progress(settings.server.stall_timeout_s)
        self._loader = Loader(settings, engine, progress)
        self._admission = Admission(settings.server.max_queued_documents, self.metrics.queued_documents.set)
        self._dispatcher = Dispatcher(
            engine, progress, sort_by_length=settings.sort_by_doc_length, on_submission=self._observe_submission
        )

    @property
    def model(self) -> LoadedModel | None:
        """None until the model is loaded and warm."""
        return self._loader.model

    def start(self, on_failed: Callable[[BaseException], None]) -> None:
        """Begin to load the model. Returns at once; `on_failed` is called on the event loop if it can't be loaded."""

        def on_loaded(error: BaseException | None) -> None:
            if error is not None:
                self.lifecycle.fail(error)
                on_failed(error)
                return
            self.metrics.build_info.labels(self.settings.model_name, __version__, self.engine.version).set(1)
            self.lifecycle.ready()
            log.info("ready: %s with %s prompts", self.settings.backend, self.settings.instruction_format)

        self._dispatcher.start(self._loader.load, on_loaded=on_loaded)

    async def stop(self, timeout_s: float) -> bool:
        """Give up what is not done and end the engine; False when it did not end in time, as while it still loads."""
        self.lifecycle.stop_accepting()
        self.abort()
        return await self._dispatcher.close(timeout_s if self.model else 0.0)

    def abort(self) -> None:
        """Fail every request that is being worked on."""
        self._dispatcher.abort(NotServing(Phase.DRAINING))

    def trouble(self) -> str | None:
        """Why the process should be restarted, or None."""
        if self.lifecycle.failure is not None:
            return str(self.lifecycle.failure)
        return self._dispatcher.trouble()

    async def rank(self, question: Question) -> Ranking:
        """Score and order documents.

        Raises:
            InvalidRequest: there are more documents than are allowed, or one is too long and must not be cut.
            QueryTooLong: no room is left for a document.
            QueueFull: the documents don't fit into the queue now.
            DeadlineExceeded: they were not scored in time.
            EngineError: one of them could not be scored.
            InvalidScore: one of them got no number for a score.
            NotServing: the model is not loaded, or the process is ending.
        """
        server = self.settings.server
        if len(question.pairs) > server.max_documents:
            raise InvalidRequest(
                f"documents: {len(question.pairs)} are more than the {server.max_documents} allowed in one request; "
                "send them in several requests",
                param="documents",
                code="too_many_documents",
            )
        model = self.model
        if model is None:
            raise NotServing(self.lifecycle.phase)
        distinct = deduplicate(question.pairs)
        timings: dict[str, float] = {}
        try:
            with self._admission.admit(len(distinct.unique)) as room:
                async with asyncio.timeout(server.request_timeout_s):
                    prompts = await self._tokenize(model, distinct.unique, question, timings)
                    truncated = [prompts[position].truncated for position in distinct.positions]
                    if not question.truncate and any(truncated):
                        raise DocumentTooLong(truncated.index(True))
                    log_odds = await self._score(prompts, room, timings)
        except TimeoutError:
            raise DeadlineExceeded(server.request_timeout_s) from None
        self._count(distinct, prompts)
        by_pair = [log_odds[position] for position in distinct.positions]
        return Ranking(
            order=rank(by_pair),
            log_odds=by_pair,
            truncated=truncated,
            prompt_tokens=sum(len(prompt.token_ids) for prompt in prompts),
            timings=timings,
        )

    async def _tokenize(
        self, model: LoadedModel, pairs: list[tuple[str, str]], question: Question, timings: dict[str, float]
    ) -> list[Prompt]:
        started = time.monotonic()
        prompts = await asyncio.to_thread(model.prompts.build_pairs, pairs, question.instruction, question.limits)
        timings["tokenize"] = time.monotonic() - started
        self.metrics.tokenize_duration.observe(timings["tokenize"])
        return prompts

    async def _score(self, prompts: list[Prompt], room: Reservation, timings: dict[str, float]) -> list[float]:
        job = await self._dispatcher.score([prompt.token_ids for prompt in prompts], room.release)
        taken_at = job.taken_at or job.queued_at
        timings["queue"] = taken_at - job.queued_at
        timings["engine"] = time.monotonic() - taken_at
        self.metrics.queue_duration.observe(timings["queue"])
        self.metrics.engine_duration.observe(timings["engine"])
        return job.log_odds

    def _count(self, distinct: Deduplicated[tuple[str, str]], prompts: list[Prompt]) -> None:
        metrics = self.metrics
        metrics.request_documents.observe(len(distinct.positions))
        metrics.documents.inc(len(distinct.positions))
        metrics.deduplicated_documents.inc(distinct.removed)
        metrics.truncated_documents.inc(sum(prompts[position].truncated for position in distinct.positions))
        metrics.tokens.labels("prompt").inc(sum(len(prompt.token_ids) for prompt in prompts))
        metrics.tokens.labels("document").inc(sum(prompt.document_tokens for prompt in prompts))
        for prompt in prompts:
            metrics.document_tokens.observe(prompt.document_tokens)

    def _observe_submission(self, *, documents: int, tokens: int, seconds: float) -> None:
        self.metrics.batch_tokens.observe(tokens)
        self._admission.observe_speed(documents, seconds)
