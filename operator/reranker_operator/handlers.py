"""Kopf's part: it watches, and every event puts a key into the work queue. Nothing is decided here.

Only plain event handlers are used. Kopf then writes nothing to any object: no finalizer (a resource can always be
deleted, with or without an operator), no annotations, no progress.
"""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from reranker_operator import names, watches
from reranker_operator.connection import Connection
from reranker_operator.kinds import CHILDREN, POD, RERANKER_DEPLOYMENT, Kind
from reranker_operator.work_queue import Key

Enqueue = Callable[[Key], None]


def registry(enqueue: Enqueue, connection: Connection, monitor: watches.Watches) -> kopf.OperatorRegistry:
    """The handlers of one operator."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        """Give Kopf a session; called again, for a new one, when the API server answers 401."""
        return kopf.AiohttpSession(
            server=connection.server, aiohttp_session=connection.session(trace_configs=[monitor.trace()])
        )

    @kopf.on.event(*_selector(RERANKER_DEPLOYMENT), registry=handlers)
    async def resource_changed(namespace: str, name: str, **_: Any) -> None:
        enqueue((namespace, name))

    async def child_changed(namespace: str, labels: Mapping[str, str], body: Mapping[str, Any], **_: Any) -> None:
        instance = _owner(body) or labels.get(names.INSTANCE_LABEL)
        if instance is not None:
            enqueue((namespace, instance))

    for kind in (*CHILDREN, POD):
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
    for kind in (*CHILDREN, POD):
        result.watching.label_selectors[_selector(kind)] = names.MANAGED_SELECTOR
    return result


def _selector(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.api_version.rpartition("/")[2], kind.plural


def _owner(body: Mapping[str, Any]) -> str | None:
    """The RerankerDeployment that owns an object. Pods belong to a ReplicaSet: of them the label tells."""
    for reference in body["metadata"].get("ownerReferences", ()):
        if reference["kind"] == names.KIND and reference["apiVersion"].startswith(f"{names.GROUP}/"):
            return str(reference["name"])
    return None
