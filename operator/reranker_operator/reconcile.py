"""One pass over one RerankerDeployment: read all, plan, carry the plan out, write the status once, then tell.

Level-based: a pass looks only at what the cluster holds, never at what happened. Any event, restart or timer may
start it, and starting it once too often does no harm. Nothing is kept between passes but a note of what was applied
last, which only saves requests.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from reranker_operator import names, reasons
from reranker_operator.benchmark_overlay import overlaid, target_status
from reranker_operator.cluster_reader import Children, ClusterReader, look_again_after
from reranker_operator.desired import Target
from reranker_operator.desired.mounts import baseline_key
from reranker_operator.kinds import CONFIG_MAP, DEPLOYMENT, RERANKER_DEPLOYMENT, kind_of
from reranker_operator.kube import Kube, NamespaceEndsError, NotFoundError, RefusedError
from reranker_operator.metrics import Metrics
from reranker_operator.plan import Identity, Object, Plan, conflict, identity, is_owned, make_plan
from reranker_operator.pod_health import Pod, PodHealth, ask_again_after
from reranker_operator.reporting import Reporter
from reranker_operator.scoring import Reading, next_baselines
from reranker_operator.settings import Settings
from reranker_operator.status import Observation, Verdict, compute_status, present_pods, turns
from reranker_operator.work_queue import Key

logger = logging.getLogger(__name__)

Applied = dict[Identity, tuple[str, str]]
"""Of each child the digest of what was applied last and the resource version that came of it."""


def utc_now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reconciler:
    """Carries out passes; call it with a key."""

    def __init__(
        self,
        kube: Kube,
        settings: Settings,
        metrics: Metrics,
        health: PodHealth,
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._kube = kube
        self._cluster = ClusterReader(kube)
        self._settings = settings
        self._metrics = metrics
        self._health = health
        self._now = now
        self._reporter = Reporter(kube, metrics, now)
        self._applied: dict[Key, Applied] = {}
        self._asked: dict[Key, list[str]] = {}

    async def __call__(self, key: Key) -> float | None:
        """One pass; the seconds after which the next one is due though nothing changes.

        Raises:
            ApiError: a request failed; the pass should be made again later.
            LeftoverError: the garbage collector is behind; likewise.
        """
        namespace, name = key
        resource = await self._kube.get(RERANKER_DEPLOYMENT, namespace, name)
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            # Owner references make the garbage collector remove the children.
            self._applied.pop(key, None)
            self._health.forget_all_but(self._asked.pop(key, ()), ())
            self._metrics.objects.forget(namespace, name)
            return None
        try:
            return await self._look_at(key, resource)
        except NamespaceEndsError as error:
            logger.debug("%s/%s: it is being deleted with its namespace: %s", namespace, name, error)
            return None
        except NotFoundError:
            if not await self._is_there(resource):
                return None
            # Something else isn't: a kind that another product has brought, and has taken away again.
            self._cluster.forget_kinds()
            raise

    async def _look_at(self, key: Key, resource: Object) -> float | None:
        benchmarks = await self._cluster.benchmarks(resource["metadata"]["namespace"])
        children = await self._cluster.children(resource)
        optional_kinds = await self._cluster.optional_kinds()
        wanted = overlaid(resource, benchmarks)
        plan = make_plan(wanted, list(children.owned.values()), self._settings, optional_kinds, children.mounted)
        plan = await self._without_conflicts(plan, resource, children)
        verdict, applied = await self._carry_out(key, plan, children)
        deployment = applied.get((DEPLOYMENT.kind, resource["metadata"]["name"]))
        readings = await self._read_health(key, present_pods(deployment, children.pods))
        seen = Observation(
            resource=resource,
            verdict=verdict,
            deployment=deployment,
            pods=children.pods,
            now=self._now(),
            readings=readings,
            baseline=await self._keep_baseline(plan.target, resource, applied, readings),
            mount_failure=await self._cluster.mount_failure(children.pods),
            missing_node_labels=await self._cluster.missing_node_labels(children.pods),
        )
        status = {**compute_status(seen), **target_status(resource, benchmarks)}
        self._metrics.objects.observe(resource, status)
        await self._reporter.report(resource, status, turns)
        waits = (ask_again_after(readings), look_again_after(children.pods))
        return min((seconds for seconds in waits if seconds is not None), default=None)

    async def _read_health(self, key: Key, pods: Sequence[Pod]) -> list[Reading]:
        self._asked[key] = self._health.forget_all_but(self._asked.get(key, ()), pods)
        return await self._health.read(pods)

    async def _keep_baseline(
        self,
        target: Target | None,
        resource: Object,
        children: dict[Identity, Object],
        readings: Sequence[Reading],
    ) -> str | None:
        """Keep the scores of the present spec's first pod for later ones; their key, if they are kept."""
        if target is None:
            return None
        key, name = baseline_key(target), names.baseline_name(target.name)
        existing = children.get((CONFIG_MAP.kind, name))
        present: dict[str, str] = (existing or {}).get("data") or {}
        kept = next_baselines(present, key, readings, self._now())
        if kept != present:
            foreign = None if existing else await self._kube.get(CONFIG_MAP, target.namespace, name)
            if foreign is not None and conflict(foreign, resource) is not None:
                logger.warning(
                    "%s/%s: ConfigMap %s isn't ours: no baseline is kept", target.namespace, target.name, name
                )
                return None
            await self._kube.apply(
                {"apiVersion": "v1", "kind": CONFIG_MAP.kind, "metadata": target.metadata(name), "data": kept}
            )
            self._metrics.writes.labels(kind=CONFIG_MAP.kind).inc()
            logger.info("%s/%s: the scores of its first pod are the baseline now", *_key(target))
        return key if key in kept else None

    async def _without_conflicts(self, plan: Plan, resource: Object, children: Children) -> Plan:
        """The plan, or one that touches nothing where an object of a child's name isn't ours.

        A child that lost its label or its owner counts as owned from here on: applying gives them back.
        """
        for manifest in plan.apply:
            if identity(manifest) in children.owned:
                continue
            metadata = manifest["metadata"]
            existing = await self._kube.get(kind_of(manifest), metadata["namespace"], metadata["name"])
            if existing is None:
                continue
            if (verdict := conflict(existing, resource)) is not None:
                return plan.turned_down(verdict)
            if not is_owned(existing, resource):
                await self._check_alive(resource)
            children.owned[identity(manifest)] = existing
        return plan

    async def _check_alive(self, resource: Object) -> None:
        """Before a child is adopted: its owner may be deleted by now, and the child orphaned on purpose."""
        if not await self._is_there(resource):
            raise NotFoundError("it is being deleted")

    async def _is_there(self, resource: Object) -> bool:
        """Whether this very resource is there and not being deleted, as of now."""
        metadata = resource["metadata"]
        fresh = await self._kube.get(RERANKER_DEPLOYMENT, metadata["namespace"], metadata["name"])
        same = fresh is not None and fresh["metadata"]["uid"] == metadata["uid"]
        return fresh is not None and same and "deletionTimestamp" not in fresh["metadata"]

    async def _carry_out(self, key: Key, plan: Plan, children: Children) -> tuple[Verdict, dict[Identity, Object]]:
        """Apply and delete what differs; what became of the spec, and the children as they are then."""
        applied = self._applied.setdefault(key, {})
        result = dict(children.owned)
        due = [manifest for manifest in plan.apply if _is_due(manifest, applied, children.owned)]
        await self._prune(key, plan.delete_first, result)
        try:
            for manifest in due:
                # All or nothing: a child that is refused must not leave another one changed already.
                if applied.get(identity(manifest), ("", ""))[0] != _digest(manifest):
                    await self._kube.apply(manifest, dry_run=True)
            for manifest in due:
                result[identity(manifest)] = await self._apply(manifest, applied, children.owned)
        except RefusedError as error:
            return Verdict(reasons.REJECTED, f"the cluster refuses what the spec asks for: {error}"), result
        await self._prune(key, plan.delete, result)
        return plan.verdict, result

    async def _prune(self, key: Key, unwanted: Sequence[Object], children: dict[Identity, Object]) -> None:
        """Delete what is not wanted any more, and is there still."""
        for child in unwanted:
            # A claim goes only when no pod uses it any more: until then it is there, and deleted already.
            if children.pop(identity(child), None) is not None and "deletionTimestamp" not in child["metadata"]:
                await self._kube.delete(child)
                self._applied[key].pop(identity(child), None)
                self._metrics.writes.labels(kind=child["kind"]).inc()
                logger.info("%s/%s: deleted %s %s, no longer wanted", *key, *identity(child))

    async def _apply(self, manifest: Object, applied: Applied, owned: dict[Identity, Object]) -> Object:
        result = await self._kube.apply(manifest)
        version = result["metadata"]["resourceVersion"]
        applied[identity(manifest)] = (_digest(manifest), version)
        before = owned.get(identity(manifest))
        if before is None or _content(before) != _content(result):
            self._metrics.writes.labels(kind=manifest["kind"]).inc()
            verb = "created" if before is None else "changed"
            metadata = manifest["metadata"]
            logger.info("%s/%s: %s %s", metadata["namespace"], metadata["name"], verb, manifest["kind"])
        return result


def _key(target: Target) -> Key:
    return target.namespace, target.name


def _is_due(manifest: Object, applied: Applied, owned: dict[Identity, Object]) -> bool:
    """Whether applying could change something: it is not what was applied last, or someone wrote the child since."""
    existing = owned.get(identity(manifest))
    if existing is None:
        return True
    return applied.get(identity(manifest)) != (_digest(manifest), existing["metadata"]["resourceVersion"])


def _content(item: Object) -> Object:
    """An object without what others write into it all the time, and the versions that count that."""
    metadata = {
        key: value for key, value in item["metadata"].items() if key not in ("resourceVersion", "managedFields")
    }
    return {**item, "metadata": metadata, "status": None}


def _digest(manifest: Object) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
