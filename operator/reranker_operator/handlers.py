"""Kopf's part: it watches, and every event puts a key into the work queue. Nothing is decided here.

Only plain event handlers are used. Kopf then writes nothing to any object: no finalizer (a resource can always be
deleted, with or without an operator), no annotations, no progress.
"""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from reranker_operator import names, watches
from reranker_operator.connection import Connection
from reranker_operator.kinds import CHILDREN, JOB, POD, RERANKER_BENCHMARK, RERANKER_DEPLOYMENT, Kind
from reranker_operator.work_queue import Key

Enqueue = Callable[[Key], None]


def registry(
    enqueue: Enqueue, enqueue_benchmark: Enqueue, connection: Connection, monitor: watches.Watches
) -> kopf.OperatorRegistry:
    """The handlers of one operator; each kind of resource has a queue."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        """Give Kopf a session; called again, for a new one, when the API server answers 401."""
        return kopf.AiohttpSession(
            server=connection.server, aiohttp_session=connection.session(trace_configs=[monitor.trace()])
        )

    @kopf.on.event(*_selector(RERANKER_DEPLOYMENT), registry=handlers)
    async def resource_changed(namespace: str, name: str, body: Mapping[str, Any], **_: Any) -> None:
        enqueue((namespace, name))
        if (benchmark := _owner(body, names.BENCHMARK_KIND)) is not None:
            enqueue_benchmark((namespace, benchmark))

    @kopf.on.event(*_selector(RERANKER_BENCHMARK), registry=handlers)
    async def benchmark_changed(namespace: str, name: str, spec: Mapping[str, Any], **_: Any) -> None:
        enqueue_benchmark((namespace, name))
        enqueue((namespace, spec["deploymentRef"]["name"]))  # a scenario may be laid over it now, or no longer

    async def child_changed(namespace: str, labels: Mapping[str, str], body: Mapping[str, Any], **_: Any) -> None:
        benchmark = _owner(body, names.BENCHMARK_KIND) or labels.get(names.BENCHMARK_LABEL)
        if benchmark is not None:
            enqueue_benchmark((namespace, benchmark))
        instance = _owner(body, names.KIND) or labels.get(names.INSTANCE_LABEL)
        if instance is not None and labels.get(names.COMPONENT_LABEL) != names.BENCHMARK_COMPONENT:
            enqueue((namespace, instance))

    for kind in (*CHILDREN, JOB, POD):
        kopf.on.event(*_selector(kind), registry=handlers, id=f"{kind.plural}_changed")(child_changed)
    return handlers


def settings() -> kopf.OperatorSettings:
    """How Kopf is to behave."""
    result = kopf.OperatorSettings()
    result.posting.enabled = False  # Events are posted after the status is written, by the reconciler
    result.peering.standalone = True
    result.scanning.disabled = True  # no watching of CRDs and namespaces: no cluster-wide rights
    result.networking.request_timeout = 20
    result.networking.connect_timeout = 10
    # Streams that die behind a load balancer without a word are opened anew: by the server, else by us.
    result.watching.server_timeout = watches.SERVER_TIMEOUT_SECONDS
    result.watching.client_timeout = watches.SERVER_TIMEOUT_SECONDS + 1
    for kind in (*CHILDREN, JOB, POD):
        result.watching.label_selectors[_selector(kind)] = names.MANAGED_SELECTOR
    return result


def _selector(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.api_version.rpartition("/")[2], kind.plural


def _owner(body: Mapping[str, Any], kind: str) -> str | None:
    """The resource of this kind that owns an object. Pods belong to a ReplicaSet or Job: of them the label tells."""
    for reference in body["metadata"].get("ownerReferences", ()):
        if reference["kind"] == kind and reference["apiVersion"].startswith(f"{names.GROUP}/"):
            return str(reference["name"])
    return None
