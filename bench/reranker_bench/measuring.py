"""One server measured from beginning to end: from its `/health` to the results with everything that was known.

`run` does it once, `matrix` once a scenario.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from typing import Any

from reranker_bench.arguments import headers_of
from reranker_bench.connection import get
from reranker_bench.console import ConsoleProgress, say
from reranker_bench.dialects import DIALECTS
from reranker_bench.draws import Draws
from reranker_bench.environment import ClientInfo, Environment, ServerInfo, local_gpu
from reranker_bench.load import RerankClient, Target
from reranker_bench.pace import Pace
from reranker_bench.results import Cell, Parameters, Results, TitlesUsed, WarmUp, losses, now
from reranker_bench.runner import Measured, Plan
from reranker_bench.runner import run as send_all
from reranker_bench.server_counters import Counters, read_counters
from reranker_bench.titles import BUILT_IN_COUNT, MOST, Titles, TitlesError, generate, read


@dataclass(frozen=True)
class Order:
    """What is to be measured, how, and what nobody but the user can say about it."""

    plan: Plan
    target: Target
    titles: Titles
    tag: str = ""
    quiet: bool = False
    gpu: str | None = None
    image: str | None = None


def order_of(arguments: argparse.Namespace) -> Order:
    """From the command line.

    Raises:
        ValueError: if titles or API key can't be read, or there are too few titles.
    """
    pace = Pace(arguments.concurrency, arguments.rate, arguments.arrivals, arguments.duration)
    plan = Plan(
        documents=arguments.documents,
        repeat=arguments.repeat,
        seed=arguments.seed,
        query=arguments.query,
        warmup_requests=arguments.warmup_requests,
        warmup_documents=arguments.warmup_documents,
        pace=pace,
    )
    return Order(
        plan=plan,
        target=Target(
            arguments.url, arguments.timeout, DIALECTS[arguments.dialect], arguments.model, headers_of(arguments)
        ),
        titles=_titles(arguments, plan),
        tag=arguments.tag,
        quiet=arguments.quiet_runs,
        gpu=arguments.gpu,
        image=arguments.image,
    )


def measure(order: Order, health: dict[str, Any]) -> Results:
    """Measure a server that is ready; `health` is what it said. An interruption ends it early with what there is."""
    plan, target, titles = order.plan, with_model(order.target), order.titles
    headers = dict(target.headers)
    draws = Draws(titles.texts, plan.seed)
    before = Counters()

    def warmed() -> None:
        nonlocal before
        before = read_counters(target.url, headers)

    gpu, driver = local_gpu(target.url)
    started = now()
    with ConsoleProgress(plan.requests(), quiet=order.quiet) as progress:
        measured = send_all(plan, lambda: RerankClient(target), draws, progress, warmed=warmed)
    # Whoever pressed Ctrl-C, perhaps since the server hangs, wants what there is now.
    after = read_counters(target.url, headers, timeout_s=2.0 if measured.interrupted else 10.0)
    server = ServerInfo.of(health, gpu=order.gpu or gpu, driver=driver, image=order.image, model=target.model)
    return Results(
        tag=order.tag,
        started_at=started,
        finished_at=now(),
        interrupted=measured.interrupted,
        parameters=_parameters(plan, target),
        titles=TitlesUsed(source=titles.source, count=len(titles.texts), sha256=titles.sha256, reused=draws.reused),
        environment=Environment(health=health, server=server, client=ClientInfo.here()),
        counters=after.since(before),
        warmup=WarmUp(requests=len(measured.warmup), documents=plan.warmup_documents, lost=losses(measured.warmup)),
        cells=_cells(measured, open_loop=plan.pace.rate is not None),
    )


def with_model(target: Target) -> Target:
    """The target with the model's name, asked from `/v1/models` where its dialect wants one and none was given."""
    if target.model is not None or not target.dialect.sends_model:
        return target
    try:
        _, answer = get(target.url, "/v1/models", target.headers)
        name = json.loads(answer)["data"][0]["id"]
    except (OSError, ValueError, LookupError, TypeError):
        return target
    return replace(target, model=str(name))


def _titles(arguments: argparse.Namespace, plan: Plan) -> Titles:
    if arguments.titles is None:
        needed = plan.titles()
        titles = generate(MOST if needed is None else min(max(BUILT_IN_COUNT, needed), MOST))
    else:
        titles = read(arguments.titles)
    if titles.repeated:
        say(f"{titles.source}: {titles.repeated} repeated titles left out")
    if len(titles.texts) < plan.largest():
        raise TitlesError(f"{plan.largest()} documents need as many titles; {titles.source} has {len(titles.texts)}")
    return titles


def _parameters(plan: Plan, target: Target) -> Parameters:
    pace = plan.pace
    return Parameters(
        url=target.url,
        dialect=target.dialect.name,
        documents=plan.documents,
        repeat=plan.repeat,
        concurrency=pace.connections,
        rate=pace.rate,
        arrivals=pace.arrivals if pace.rate is not None else None,
        duration_s=pace.duration_s,
        seed=plan.seed,
        timeout_s=target.timeout_s,
        query=plan.query,
        warmup_requests=plan.warmup_requests,
        warmup_documents=plan.warmup_documents,
    )


def _cells(measured: Measured, *, open_loop: bool) -> tuple[Cell, ...]:
    return tuple(
        Cell.of(documents, timed.samples, wall_s=timed.wall_s, open_loop=open_loop)
        for documents, timed in measured.timed.items()
        if timed.samples
    )
