"""Starts the operator: configuration, credentials, probes, then watching until told to stop.

The process is crash-only. It keeps nothing that matters, so whatever it can't mend (a watch that the API server
refuses, a lost Lease, a lost configuration) ends it with status 1, and it starts again from what the cluster holds.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import kopf
from aiohttp import web
from yarl import URL

from reranker_operator import handlers, logs, settings
from reranker_operator.connection import Connection, CredentialsError
from reranker_operator.kinds import RERANKER_BENCHMARK, RERANKER_DEPLOYMENT, RESOURCES, WATCHED, Kind
from reranker_operator.kube import ApiError, Kube
from reranker_operator.leader import Leader
from reranker_operator.metrics import Metrics
from reranker_operator.pod_health import PodHealth
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
LOG_FORMAT_VARIABLE = "RERANKER_OPERATOR_LOG_FORMAT"
NAMESPACE_VARIABLE = "POD_NAMESPACE"
NAME_VARIABLE = "POD_NAME"

WORKERS = 4
CRD_POLL_SECONDS = 2.0

logger = logging.getLogger("reranker_operator")


async def run(configuration: settings.Settings, port: int, stop: asyncio.Event) -> None:
    """Run until SIGTERM or SIGINT; `stop` tells of them as long as Kopf, which then takes them over, doesn't run."""
    connection = await Connection.find()
    metrics = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        leader = await _candidate(connection, configuration, stack)
        kube = Kube(connection, may_write=lambda: leader is None or leader.holds)
        stack.push_async_callback(kube.close)
        pods = PodHealth()
        stack.push_async_callback(pods.close)
        queue = WorkQueue(Reconciler(kube, configuration, metrics, pods), metrics)
        benchmarks = WorkQueue(BenchmarkReconciler(kube, configuration, metrics), metrics, RERANKER_BENCHMARK.kind)
        parts = Parts(connection, kube, {RERANKER_DEPLOYMENT: queue, RERANKER_BENCHMARK: benchmarks}, leader)
        watches = Watches(parts.watched(configuration))
        health = Health([queue, benchmarks], watches, election=leader)
        await stack.enter_async_context(_serving(application(health, metrics, watches), port))
        if leader is not None:
            if not await leader.acquire(stop):
                return
            stack.push_async_callback(leader.release)
        await _work(parts, configuration, watches, stop)


@dataclass(frozen=True)
class Parts:
    """What an operator that works is made of."""

    connection: Connection
    kube: Kube
    queues: Mapping[Kind, WorkQueue]
    leader: Leader | None

    def watched(self, configuration: settings.Settings) -> list[str]:
        """The paths of all collections that are watched."""
        prefix = URL(self.connection.server).path.rstrip("/")
        return [prefix + kind.path(scope) for kind in WATCHED for scope in scopes(configuration)]


def scopes(configuration: settings.Settings) -> tuple[str | None, ...]:
    """The namespaces to serve; only None for all of them."""
    return configuration.namespaces or (None,)


async def _candidate(
    connection: Connection, configuration: settings.Settings, stack: contextlib.AsyncExitStack
) -> Leader | None:
    """This process's part in the leader election; None without one. It has a client of its own: it may always write."""
    election = configuration.leader_election
    if not election.enabled:
        return None
    namespace = election.namespace or os.environ.get(NAMESPACE_VARIABLE)
    if not namespace:
        raise settings.SettingsError(f"leaderElection.namespace: set it, or {NAMESPACE_VARIABLE} in the environment")
    kube = Kube(connection)
    stack.push_async_callback(kube.close)
    name = os.environ.get(NAME_VARIABLE) or socket.gethostname()
    return Leader(kube, election, namespace, f"{name}_{uuid.uuid4()}")


async def _work(parts: Parts, configuration: settings.Settings, watches: Watches, stop: asyncio.Event) -> None:
    """Serve the namespaces until told to stop. A part that fails ends them all."""
    queue, benchmarks = parts.queues[RERANKER_DEPLOYMENT], parts.queues[RERANKER_BENCHMARK]
    async with asyncio.TaskGroup() as group:
        # All begin before Kopf does: at its end it waits for, then cancels, whatever began later.
        tasks = [] if parts.leader is None else [group.create_task(parts.leader.keep())]
        for kind in RESOURCES:
            await _wait_for_crd(parts.kube, kind, stop)
        if not stop.is_set():
            served = ", ".join(configuration.namespaces) or "all namespaces"
            logger.info("serving %s of %s", served, parts.connection.server)
            tasks += [group.create_task(queue.work()) for _ in range(WORKERS)]
            tasks.append(group.create_task(benchmarks.work()))
            resync = _resync(parts.kube, parts.queues, scopes(configuration), configuration.resync_seconds)
            tasks.append(group.create_task(resync))
            await kopf.operator(
                registry=handlers.registry(queue.add, benchmarks.add, parts.connection, watches),
                settings=handlers.settings(),
                clusterwide=not configuration.namespaces,
                namespaces=list(configuration.namespaces),
            )
        for task in tasks:
            task.cancel()


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


async def _resync(kube: Kube, queues: Mapping[Kind, WorkQueue], scopes: tuple[str | None, ...], seconds: float) -> None:
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
    try:
        level = os.environ.get(LOG_LEVEL_VARIABLE, "INFO").upper()
        logs.configure(level, os.environ.get(LOG_FORMAT_VARIABLE, "json"))
    except ValueError as error:
        sys.exit(f"reranker-operator: {LOG_LEVEL_VARIABLE} or {LOG_FORMAT_VARIABLE}: {error}")
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
