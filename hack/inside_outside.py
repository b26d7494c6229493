"""Whether a RerankerBenchmark's figures are those of `reranker-bench run` from the node, on the same pod, in turns.

Inside is an InPlace benchmark of the reranker's own backend and format, which changes nothing about its pods; outside
is the command, in the local node's namespaces. They alternate, since a machine is not the same from one minute to the
next, and every run has a seed of its own: equal seeds send equal requests, and the second of two such runs would
measure the server's prefix cache. All seeds draw from the same 18,000 titles, so the first round, which meets an
emptier cache than the others, is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from hack.demo.shell import ROOT, Shell, StepError
from hack.in_turns import comparison, in_turns, percent_apart
from reranker_bench.from_cluster import read_cluster
from reranker_bench.reading import upgrade
from reranker_bench.results import Results

WITHIN = "120s"
"""How long one benchmark inside may take."""


class Pair:
    """Both ways to measure one reranker."""

    def __init__(self, shell: Shell, arguments: argparse.Namespace) -> None:
        self._shell = shell
        self._asked = arguments
        self._pod = self._only_pod()

    def inside(self, seed: int) -> Results:
        """By a RerankerBenchmark; it is gone afterwards."""
        name = f"inside-{seed}"
        self._kubectl("apply", "-f", "-", stdin=json.dumps(self._benchmark(name, seed)))
        try:
            # One watch: a kubectl a second would take a tenth of a core from what is measured, and inside only.
            self._kubectl("wait", f"rrb/{name}", "--for=condition=Finished", f"--timeout={WITHIN}")
            found = read_cluster(name, self._asked.namespace)
        finally:
            self._kubectl("delete", "rrb", name, "--wait=false")
        if self._only_pod() != self._pod:
            raise StepError("the reranker's pod was replaced: the two ways did not measure the same one")
        if len(found.runs) != 1 or found.runs[0].lost:
            raise StepError(f"{name}: {'; '.join(found.notes) or 'samples were lost'}")
        return found.runs[0]

    def outside(self, seed: int) -> Results:
        """By the command, from the node."""
        command = [
            str(ROOT / ".venv/bin/reranker-bench"), "run", self._asked.documents, "--repeat", str(self._asked.repeat),
            "--seed", str(seed), "--warmup-documents", "100", "--quiet-runs", "--json-summary-out", "-",
            "--url", f"http://{self._pod['status']['podIP']}:8000",
        ]  # fmt: skip
        log = self._shell.output("hack/cluster/cluster", "enter", *command)
        return Results.model_validate(upgrade(json.loads(log.splitlines()[-1])))

    def _benchmark(self, name: str, seed: int) -> dict[str, Any]:
        asked = self._asked
        reranker = self._shell.get("-n", asked.namespace, "rrd", asked.reranker)["spec"]
        scenario = {key: reranker[key] for key in ("backend", "instructionFormat")}
        resources = {"resources": {"requests": {"cpu": asked.job_cpu}}} if asked.job_cpu else {}
        return {
            "apiVersion": "reranker.dev/v1alpha1",
            "kind": "RerankerBenchmark",
            "metadata": {"name": name, "namespace": asked.namespace},
            "spec": {
                "deploymentRef": {"name": asked.reranker},
                "mode": "InPlace",
                "scenarios": [scenario],
                "documents": [int(number) for number in asked.documents.split(",")],
                "repeat": asked.repeat,
                "seed": seed,
                "warmup": {"documents": 100},
                "job": resources,
            },
        }

    def _only_pod(self) -> dict[str, Any]:
        selector = f"app.kubernetes.io/instance={self._asked.reranker},app.kubernetes.io/component=server"
        pods = self._shell.get("-n", self._asked.namespace, "pods", "-l", selector)["items"]
        if len(pods) != 1:
            raise StepError(f"{self._asked.reranker} has {len(pods)} pods; the comparison is of one")
        return {"uid": pods[0]["metadata"]["uid"], "status": {"podIP": pods[0]["status"]["podIP"]}}

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> None:
        self._shell.output("kubectl", "-n", self._asked.namespace, *arguments, stdin=stdin)


def times(runs: list[Results], documents: int) -> list[float]:
    """All times of one size, in ms."""
    return [value for run in runs for cell in run.cells if cell.documents == documents for value in cell.values_ms]


def show(way: str, seed: int, run: Results) -> None:
    """One line on a run, with how much of it the server's prefix cache saved."""
    cells = ", ".join(f"n={cell.documents}: {cell.mean_ms:.1f} ms" for cell in run.cells)
    print(f"{way:<7} seed {seed}  {cells}  {run.counters.describe() or ''}", flush=True)


def main() -> int:
    """Measure in turns, print both and their ratio; the exit status is 1 where they are further apart than allowed."""
    parser = argparse.ArgumentParser(prog="python -m hack.inside_outside", description=__doc__)
    parser.add_argument("reranker", help="a RerankerDeployment on the local node, with one pod")
    parser.add_argument("--namespace", default="reranker-demo")
    parser.add_argument("--documents", default="100,400", metavar="N,N")
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=4, help="of both ways, in turns (default %(default)s)")
    parser.add_argument("--first-seed", type=int, default=1000, help="one that this server has not seen yet")
    parser.add_argument("--same-seed", action="store_true", help="give both runs of a round one seed: shows the cache")
    parser.add_argument("--job-cpu", metavar="QUANTITY", help="the CPU request of the benchmark's pod")
    parser.add_argument("--within", type=float, default=10.0, metavar="PERCENT", help="(default %(default)s)")
    asked = parser.parse_args()
    shell = Shell()
    shell.use_cluster()
    os.environ.update(shell.environment)  # the benchmark's own reading calls kubectl, too
    pair = Pair(shell, asked)
    names = ("inside", "outside")
    measure = dict(zip(names, (pair.inside, pair.outside), strict=True))
    runs: dict[str, list[Results]] = {name: [] for name in names}
    for name, number in in_turns(names, asked.rounds + 1):
        seed = asked.first_seed + (number // 2 if asked.same_seed else number)
        run = measure[name](seed)
        show(name, seed, run)
        if number >= len(names):
            runs[name].append(run)
    apart = False
    for documents in map(int, asked.documents.split(",")):
        both = [times(runs[name], documents) for name in names]
        print(f"n={documents}: {comparison(names, *both)}")
        apart |= abs(percent_apart(*both)) > asked.within
    return int(apart)


if __name__ == "__main__":
    sys.exit(main())
