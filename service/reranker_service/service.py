"""Ranking documents for a query: the path of one request, independent of any HTTP dialect."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reranker_service import __version__
from reranker_service.admission import Admission, Reservation
from reranker_service.dispatcher import Dispatcher
from reranker_service.engines.protocol import Engine
from reranker_service.errors import DeadlineExceeded, DocumentTooLong, InvalidRequest, NotServing
from reranker_service.lifecycle import Lifecycle, Phase
from reranker_service.loading import LoadedModel, Loader, Loading
from reranker_service.metrics import Metrics
from reranker_service.progress import Progress
from reranker_service.score_check.check import Report
from reranker_service.scoring.dedup import Deduplicated, deduplicate
from reranker_service.scoring.ordering import rank
from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.scoring.prompts import NO_LIMITS, EncodedPairs, Limits, QueryTooLong
from reranker_service.settings import Settings
from reranker_service.work_queue import Job

log = logging.getLogger(__name__)

# Characters that are tokenised before the engine may begin with them, where it can work on while the next are
# tokenised: so many take a few milliseconds. A request of a thousand titles has fewer.
FIRST_CHARACTERS = 65536
# Up to so many characters are tokenised where they are asked for, by an encoder that is quick: to hand them to another
# thread and wait for it takes longer, and a request with more would hold up the others.
IN_PLACE_CHARACTERS = 16384


@dataclass(frozen=True, slots=True)
class Question:
    """What one request wants scored, in whatever dialect it was asked.

    `pairs` are (query, document). `truncate` False makes a document that would be cut an error. The two `_field`s are
    what the dialect calls queries and documents, for errors.
    """

    pairs: Sequence[tuple[str, str]]
    instruction: str | None = None
    limits: Limits = NO_LIMITS
    truncate: bool = True
    query_field: str = "query"
    documents_field: str = "documents"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The pairs of one request, best first.

    `order` holds indices into the request's pairs; `log_odds` and `truncated` are by that index. `prompt_tokens` counts
    the tokens that were scored, an exact duplicate's once. `timings` are the seconds of each stage: `tokenize`,
    `queue` (until the first engine call) and `engine` (from there to the last answer), which began at `queued_at` on
    the monotonic clock.
    """

    order: list[int]
    log_odds: list[float]
    truncated: list[bool]
    prompt_tokens: int
    timings: dict[str, float]
    queued_at: float


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
        server = settings.server
        self._admission = Admission(
            server.max_queued_documents, server.max_queued_tokens, self.metrics.queued_documents.set
        )
        self._dispatcher = Dispatcher(
            engine, progress, sort_by_length=settings.sort_by_doc_length, on_submission=self._observe_submission
        )

    @property
    def model(self) -> LoadedModel | None:
        """None until the model is loaded and warm."""
        return self._loader.model

    @property
    def loading(self) -> Loading | None:
        """How far the start is; None once it is over."""
        return self._loader.state if self.lifecycle.phase is Phase.LOADING else None

    @property
    def score_check(self) -> Report:
        """What the check of the model's scores came to."""
        return self._loader.score_check.report

    def start(self, on_failed: Callable[[BaseException], None]) -> None:
        """Begin to load the model. Returns at once; `on_failed` is called on the event loop if it can't be loaded."""

        def on_loaded(error: BaseException | None) -> None:
            if error is not None:
                self.lifecycle.fail(error)
                on_failed(error)
                return
            self.metrics.build_info.labels(self.settings.model_name, __version__, self.engine.version).set(1)
            self.metrics.show_score_check(self.score_check)
            if self.score_check.forbids_serving:
                self.lifecycle.refuse()
                return
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
            InvalidRequest: more documents or tokens than are allowed, or a document that must not be cut but has to be.
            QueryTooLong: no room is left for a document.
            QueueFull: the documents or their tokens don't fit into the queue now.
            DeadlineExceeded: they were not scored in time.
            EngineError: one of them could not be scored.
            InvalidScore: one of them got no number for a score.
            NotServing: the model is not loaded, or the process is ending.
        """
        server = self.settings.server
        if len(question.pairs) > server.max_documents:
            raise InvalidRequest(
                f"{question.documents_field}: {len(question.pairs)} are more than the {server.max_documents} allowed "
                "in one request; send them in several",
                param=question.documents_field,
                code="too_many_documents",
            )
        model = self.model
        if model is None:
            raise NotServing(self.lifecycle.phase)
        distinct = deduplicate(question.pairs)
        timings: dict[str, float] = {}
        encoded: list[EncodedPairs] = []
        try:
            with self._admission.admit(len(distinct.unique)) as room:
                async with asyncio.timeout(server.request_timeout_s):
                    chunks = self._chunks(model, distinct, question, encoded, timings)
                    if server.max_queued_tokens is not None:
                        # All or nothing: how many they are has to be known before the engine gets the first of them.
                        chunks = iter(await asyncio.to_thread(list, chunks))
                        room.hold_tokens(sum(part.prompts.tokens for part in encoded))
                    in_place = model.checkpoint.tokenizer.quick and _characters(distinct.unique) <= IN_PLACE_CHARACTERS
                    job = await self._score(chunks, len(distinct.unique), room, timings, in_place=in_place)
        except QueryTooLong as error:
            error.param = question.query_field
            raise
        except TimeoutError:
            raise DeadlineExceeded(server.request_timeout_s) from None
        places = np.concatenate([part.places for part in encoded])
        log_odds, truncated = np.empty(len(places)), np.empty(len(places), np.bool_)
        log_odds[places] = job.log_odds
        truncated[places] = np.concatenate([part.truncated for part in encoded])
        self._count(distinct, encoded, int(truncated[distinct.positions].sum()))
        by_pair: list[float] = log_odds[distinct.positions].tolist()
        return Ranking(
            order=rank(by_pair),
            log_odds=by_pair,
            truncated=truncated[distinct.positions].tolist(),
            prompt_tokens=sum(part.prompts.tokens for part in encoded),
            timings=timings,
            queued_at=job.queued_at,
        )

    def _chunks(
        self,
        model: LoadedModel,
        distinct: Deduplicated[tuple[str, str]],
        question: Question,
        encoded: list[EncodedPairs],
        timings: dict[str, float],
    ) -> Iterator[Prompts]:
        """Tokenise the distinct pairs bit by bit, and keep in `encoded` what each bit was. Runs in a thread."""
        at_once = FIRST_CHARACTERS if self.engine.capacity.overlaps and question.truncate else None
        limits = question.limits.with_document_tokens(self.settings.server.max_document_tokens)
        parts = model.prompts.encode_pairs(distinct.unique, question.instruction, limits, at_once=at_once)
        timings["tokenize"] = 0.0
        while True:
            started = time.monotonic()
            part = next(parts, None)
            timings["tokenize"] += time.monotonic() - started
            if part is None:
                break
            encoded.append(part)
            if not question.truncate and part.truncated.any():
                cut = set(part.places[part.truncated].tolist())
                first = next(index for index, place in enumerate(distinct.positions) if place in cut)
                raise DocumentTooLong(question.documents_field, first)
            yield part.prompts
        self.metrics.tokenize_duration.observe(timings["tokenize"])

    async def _score(
        self,
        chunks: Iterator[Prompts],
        documents: int,
        room: Reservation,
        timings: dict[str, float],
        *,
        in_place: bool,
    ) -> Job:
        job = await self._dispatcher.score(chunks, documents, room.release, in_place=in_place)
        taken_at = job.taken_at or job.queued_at
        timings["queue"] = taken_at - job.queued_at
        timings["engine"] = time.monotonic() - taken_at
        self.metrics.queue_duration.observe(timings["queue"])
        self.metrics.engine_duration.observe(timings["engine"])
        return job

    def _count(self, distinct: Deduplicated[tuple[str, str]], encoded: list[EncodedPairs], truncated: int) -> None:
        metrics = self.metrics
        metrics.request_documents.observe(len(distinct.positions))
        metrics.documents.inc(len(distinct.positions))
        metrics.deduplicated_documents.inc(distinct.removed)
        metrics.truncated_documents.inc(truncated)
        for part in encoded:
            metrics.tokens.labels("prompt").inc(part.prompts.tokens)
            metrics.tokens.labels("document").inc(int(part.document_tokens.sum()))
            metrics.document_tokens.observe_many(part.document_tokens)

    def _observe_submission(self, *, documents: int, tokens: int, seconds: float) -> None:
        self.metrics.batch_tokens.observe(tokens)
        self._admission.observe_speed(documents, tokens, seconds)


def _characters(pairs: Sequence[tuple[str, str]]) -> int:
    return sum(len(document) for _, document in pairs)
