"""Tells what a pass has found out: the status is written first, then an Event for each thing that turned."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reranker_operator import names
from reranker_operator.events import Turn, event
from reranker_operator.kube import ApiError, Kube, NamespaceEndsError, Object
from reranker_operator.metrics import Metrics

logger = logging.getLogger(__name__)


class Reporter:
    """Reports through one client.

    Args:
        kube: the client.
        metrics: where writes are counted.
        now: the time as Kubernetes writes it.
    """

    def __init__(self, kube: Kube, metrics: Metrics, now: Callable[[], str]) -> None:
        self._kube = kube
        self._metrics = metrics
        self._now = now

    async def report(
        self, resource: Object, status: Mapping[str, Any], turns: Callable[[Object | None, Any], Sequence[Turn]]
    ) -> None:
        """Write a status if it differs from the resource's, and post an Event for each of the `turns` between the two.

        An Event that is lost is only logged.

        Raises:
            ApiError: the status could not be written.
        """
        before = resource.get("status")
        if status == before:
            return
        metadata = {key: resource["metadata"][key] for key in ("name", "namespace", "uid")}
        kind = resource["kind"]
        await self._kube.apply_status(
            {"apiVersion": names.API_VERSION, "kind": kind, "metadata": metadata, "status": status}
        )
        self._metrics.writes.labels(kind=kind).inc()
        for turn in turns(before, status):
            logger.info(
                "%s/%s: %s is now %s: %s", metadata["namespace"], metadata["name"], turn.type, turn.reason, turn.message
            )
            try:
                await self._kube.post_event(event(resource, turn, self._now()))
            except NamespaceEndsError:
                return  # nobody will read it
            except ApiError as error:
                logger.warning("while posting an Event: %s", error)
