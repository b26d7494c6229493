"""One pass over one RerankerBenchmark: read, decide, apply, write the status, delete, tell.

Passes are made one at a time over all benchmarks: which of two InPlace benchmarks of one target goes first is decided
from their statuses, so each must see what the one before has written.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from reranker_operator import names
from reranker_operator.benchmark_metrics import BenchmarkFigures
from reranker_operator.benchmark_plan import Decision, Seen, decide, position_of
from reranker_operator.benchmark_status import stamp, turns
from reranker_operator.kinds import JOB, POD, RERANKER_BENCHMARK, RERANKER_DEPLOYMENT
from reranker_operator.kube import Kube, NamespaceEndsError, NotFoundError, Object, RefusedError
from reranker_operator.metrics import Metrics
from reranker_operator.reporting import Reporter
from reranker_operator.settings import Settings
from reranker_operator.work_queue import Key

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class BenchmarkReconciler:
    """Carries out passes; call it with a key."""

    def __init__(self, kube: Kube, settings: Settings, metrics: Metrics, now: Callable[[], datetime] = utc_now) -> None:
        self._kube = kube
        self._settings = settings
        self._metrics = metrics
        self._figures = BenchmarkFigures(metrics.registry)
        self._now = now
        self._reporter = Reporter(kube, metrics, lambda: stamp(now()))
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, key: Key) -> float | None:
        """One pass; the seconds after which the next one is due though nothing changes.

        Raises:
            ApiError: a request failed; the pass should be made again later.
        """
        async with self._one_at_a_time:
            return await self._pass(*key)

    async def _pass(self, namespace: str, name: str) -> float | None:
        resource = await self._kube.get(RERANKER_BENCHMARK, namespace, name)
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            # Owner references make the garbage collector remove its Jobs and temporary rerankers.
            self._figures.forget(namespace, name)
            return None
        try:
            seen = await self._read(resource)
            decision = await self._carry_out(seen, decide(seen, self._settings))
        except (NotFoundError, NamespaceEndsError) as error:
            # It is being deleted with its namespace, or was a moment ago.
            logger.debug("%s/%s: %s", namespace, name, error)
            return None
        deployment = resource["spec"]["deploymentRef"]["name"]
        self._figures.put(namespace, name, deployment, decision.status)
        return decision.again_after

    async def _read(self, resource: Object) -> Seen:
        namespace, name = resource["metadata"]["namespace"], resource["metadata"]["name"]
        target_name = resource["spec"]["deploymentRef"]["name"]
        belonging = f"{names.BENCHMARK_LABEL}={name}"
        position = position_of(resource)
        rerankers = await self._kube.list(RERANKER_DEPLOYMENT, namespace, belonging)
        job = None
        if position is not None:
            child = names.scenario_name(name, position)
            job = await self._kube.get(JOB, namespace, child)
            if all(each["metadata"]["name"] != child for each in rerankers):
                stranger = await self._kube.get(RERANKER_DEPLOYMENT, namespace, child)
                rerankers += [stranger] if stranger is not None else []
        return Seen(
            resource=resource,
            target=await self._kube.get(RERANKER_DEPLOYMENT, namespace, target_name),
            benchmarks=await self._kube.list(RERANKER_BENCHMARK, namespace),
            rerankers=rerankers,
            job=job,
            pods=await self._kube.list(POD, namespace, belonging),
            target_pods=await self._kube.list(POD, namespace, names.selector(target_name)),
            now=self._now(),
        )

    async def _carry_out(self, seen: Seen, decision: Decision) -> Decision:
        """Do what was decided; what was decided in the end."""
        try:
            for manifest in decision.apply:
                await self._kube.apply(manifest)
                self._tell_of("made", manifest)
        except RefusedError as error:
            decision = decide(replace(seen, refusal=str(error)), self._settings)
        await self._reporter.report(seen.resource, decision.status, turns)
        for existing in decision.delete:
            await self._kube.delete(existing)
            self._tell_of("deleted", existing)
        if decision.expired:
            await self._kube.delete(seen.resource)
            self._tell_of("deleted", seen.resource)
        return decision

    def _tell_of(self, verb: str, manifest: Object) -> None:
        metadata = manifest["metadata"]
        self._metrics.writes.labels(kind=manifest["kind"]).inc()
        logger.info("%s/%s: %s %s", metadata["namespace"], metadata["name"], verb, manifest["kind"])
