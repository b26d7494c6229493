"""`reranker-bench overhead`: what this client costs on this machine, measured against a server that answers at once.

A latency that is not far above these figures says more about the client than about the server.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from reranker_bench import stats
from reranker_bench.argument_types import positive, sizes
from reranker_bench.arguments import DEFAULT_QUERY, Commands
from reranker_bench.console import say
from reranker_bench.draws import Draws
from reranker_bench.load import RerankClient, Sample, Target
from reranker_bench.report import markdown_table
from reranker_bench.statuses import LOST, OK
from reranker_bench.titles import MOST, generate


def add(commands: Commands) -> None:
    """Its flags."""
    summary = (
        "Measure the client alone, one request after another against a server on this machine that answers at once. "
        "`time` is what would be added to a latency; `whole` is what a request costs with the drawing of its titles, "
        "its encoding and the check of its answer, which are not in a latency; its processor time stays about the same "
        "where others use the machine, too."
    )
    command = commands.add_parser("overhead", help="what this client itself costs", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("documents", nargs="?", type=sizes, default="1,100,1000", metavar="N,N,...")
    command.add_argument("--requests", type=positive, default=300, metavar="N", help="a size (default %(default)s)")


def execute(arguments: argparse.Namespace) -> int:
    """Measure each size, print one table."""
    rows = []
    for documents in arguments.documents:
        with instant_server(documents) as url, RerankClient(Target(url, timeout_s=10)) as client:
            samples, wall_s, cpu_s = _send(client, documents, arguments.requests)
        lost = [sample for sample in samples if sample.reason is not None]
        if lost:
            say(f"reranker-bench: n={documents}: {len(lost)} lost: {lost[0].detail}")
            return LOST
        times = [sample.ms for sample in samples if sample.ms is not None]
        whole = wall_s / len(samples)
        figures = (stats.percentile(times, 50), stats.percentile(times, 99), whole * 1000, cpu_s / len(samples) * 1000)
        rows.append([str(documents), *(f"{value:.3f}" for value in figures), f"{1 / whole:.0f}"])
    header = ["n", "time ms (p50)", "time ms (p99)", "whole ms (mean)", "of it processor ms", "requests/s"]
    sys.stdout.write("\n".join(markdown_table(header, rows)) + "\n")
    return OK


@contextmanager
def instant_server(documents: int) -> Iterator[str]:
    """The server in a process of its own, and its address."""
    command = (sys.executable, "-m", "reranker_bench.instant_server", str(documents))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the type only: it was asked for
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def _send(client: RerankClient, documents: int, requests: int) -> tuple[list[Sample], float, float]:
    """The samples, and the seconds that all took together: wall time, and this process's processor time."""
    draws = Draws(generate(max(18_000, min(MOST, documents * 20))).texts, seed=99)
    for number in range(10):
        client.send(client.encode(DEFAULT_QUERY, draws.draw(documents, f"warm-up {number}")), documents, repeat=number)
    started, processor = time.perf_counter(), time.process_time()
    samples = []
    for number in range(1, requests + 1):
        body = client.encode(DEFAULT_QUERY, draws.draw(documents, number))
        samples.append(client.send(body, documents, repeat=number))
    return samples, time.perf_counter() - started, time.process_time() - processor
