"""Starts the operator: configuration, credentials, probes, then watching until told to stop.

The process is crash-only. It keeps nothing that matters, so whatever it can't mend (a watch that the API server
refuses, a lost configuration) ends it with status 1, and it starts again from what the cluster holds.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import kopf
from aiohttp import web
from yarl import URL

from reranker_operator import handlers, settings
from reranker_operator.connection import Connection, CredentialsError
from reranker_operator.kinds import RERANKER_BENCHMARK, RERANKER_DEPLOYMENT, RESOURCES, WATCHED, Kind
from reranker_operator.kube import ApiError, Kube
from reranker_operator.metrics import Metrics
from reranker_operator.reconcile import Reconciler
from reranker_operator.reconcile_benchmark import BenchmarkReconciler
from reranker_operator.watches import Watches
from reranker_operator.web import Health, application
from reranker_operator.work_queue import WorkQueue

CONFIG_VARIABLE = "RERANKER_OPERATOR_CONFIG"
DEFAULT_CONFIG = "/etc/reranker-operator/config.yaml"
HTTP_PORT_VARIABLE = "RERANKER_OPERATOR_HTTP_PORT"
DEFAULT_HTTP_PORT = "8080"
LOG_LEVEL_VARIABLE = "RERANKER_OPERATOR_LOG_LEVEL"

WORKERS = 4
CRD_POLL_SECONDS = 2.0

logger = logging.getLogger("reranker_operator")


async def run(configuration: settings.Settings, port: int, stop: asyncio.Event) -> None:
    """Run until SIGTERM or SIGINT; `stop` tells of them as long as Kopf, which then takes them over, doesn't run."""
    connection = await Connection.find()
    metrics = Metrics()
    scopes: tuple[str | None, ...] = configuration.namespaces or (None,)
    prefix = URL(connection.server).path.rstrip("/")
    watches = Watches([prefix + kind.path(scope) for kind in WATCHED for scope in scopes])
    async with contextlib.AsyncExitStack() as stack:
        kube = Kube(connection)
        stack.push_async_callback(kube.close)
        queue = WorkQueue(Reconciler(kube, configuration, metrics), metrics)
        benchmarks = WorkQueue(BenchmarkReconciler(kube, configuration, metrics), metrics, RERANKER_BENCHMARK.kind)
        queues = {RERANKER_DEPLOYMENT: queue, RERANKER_BENCHMARK: benchmarks}
        health = Health([*queues.values()], watches)
        await stack.enter_async_context(_serving(application(health, metrics, watches), port))
        for kind in RESOURCES:
            await _wait_for_crd(kube, kind, stop)
        if stop.is_set():
            return
        logger.info("serving %s of %s", ", ".join(configuration.namespaces) or "all namespaces", connection.server)
        async with asyncio.TaskGroup() as group:  # a part that fails ends them all
            # All begin before Kopf does: at its end it waits for, then cancels, whatever began later.
            parts = [group.create_task(queue.work()) for _ in range(WORKERS)]
            parts.append(group.create_task(benchmarks.work()))
            parts.append(group.create_task(_resync(kube, queues, scopes, configuration.resync_seconds)))
            await kopf.operator(
                registry=handlers.registry(queue.add, benchmarks.add, connection, watches),
                settings=handlers.settings(),
                clusterwide=not configuration.namespaces,
                namespaces=list(configuration.namespaces),
            )
            for part in parts:
                part.cancel()


async def _wait_for_crd(kube: Kube, kind: Kind, stop: asyncio.Event) -> None:
    """Wait until the CRD is installed: Kopf looks for it once, at its start."""
    told = False
    while not stop.is_set():
        try:
            if await kube.is_served(kind):
                return
            reason = f"the API server does not serve {kind.plural}; is the CRD installed?"
        except ApiError as error:
            reason = str(error)
        logger.log(logging.DEBUG if told else logging.WARNING, "waiting: %s", reason)
        told = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), CRD_POLL_SECONDS)


async def _resync(kube: Kube, queues: dict[Kind, WorkQueue], scopes: tuple[str | None, ...], seconds: float) -> None:
    """Look at every object from time to time though nothing was seen to change: events can be missed."""
    while True:
        await asyncio.sleep(seconds)
        for scope, (kind, queue) in itertools.product(scopes, queues.items()):
            try:
                found = await kube.list(kind, scope)
            except ApiError as error:
                logger.warning("while listing for the resync: %s", error)
                continue
            for resource in found:
                queue.add((resource["metadata"]["namespace"], resource["metadata"]["name"]))


@contextlib.asynccontextmanager
async def _serving(app: web.Application, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()


async def _main(configuration: settings.Settings, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(configuration, port, stop)


def main() -> None:
    """The console script."""
    logging.basicConfig(
        level=os.environ.get(LOG_LEVEL_VARIABLE, "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        configuration = settings.load(Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG)))
        asyncio.run(_main(configuration, int(os.environ.get(HTTP_PORT_VARIABLE, DEFAULT_HTTP_PORT))))
    except (settings.SettingsError, CredentialsError) as error:
        sys.exit(f"reranker-operator: {error}")
    except Exception:
        logger.exception("the operator ends; it starts anew from what the cluster holds")
        sys.exit(1)
    logger.info("stopped")


if __name__ == "__main__":
    main()
