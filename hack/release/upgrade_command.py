"""`hack/release/upgrade`: on a real node, with a reranker under steady load: no request may be lost.

first    the first chart that there was is installed, then upgraded to this checkout's
v3, v4   install, upgrade, rollback, uninstall by Helm 3 and Helm 4
two      two releases in two namespaces

The node (CLUSTER_NAME, by default reranker-upgrade) is taken down at the end. What was seen goes into a file of
results, part by part, and from there into docs/results/upgrade.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from hack.demo.shell import ROOT, Shell, StepError
from hack.demo.up import MANIFEST, NAME, NAMESPACE, RELEASE, SYSTEM_NAMESPACE, Demo
from hack.demo.waiting import reranker_state, wait_until
from hack.release.checkouts import Checkout, at_commit
from hack.release.releases import Helm, matrix, place, values
from hack.release.side_by_side import releases_side_by_side
from hack.release.traffic import Traffic, reranker_pods
from hack.release.upgrade_report import report

FIRST = "913cc5e"
"""The first commit with a chart, an operator and a service that work together."""
PARTS = ("first", "v3", "v4", "two")
TARGETS = ("operator", "service-cpu", "bench")
BEFORE_S, AFTER_S, LINGER_S = 10.0, 15.0, 5.0


class Run:
    """The node, the images in it, and the file that results are written to."""

    def __init__(self, new: Checkout, results: Path) -> None:
        self.shell, self.console, self.new, self.results = Shell(), Console(), new, results
        self.images: dict[str, str] = {}
        self.first_operator = ""

    def prepare(self, parts: Sequence[str]) -> None:
        """Node, images, and a reranker that serves; with the first chart where that is to be upgraded."""
        demo = Demo(self.shell, self.console)
        self.shell.run("hack/cluster/cluster", "up")
        self.shell.use_cluster()
        for namespace in (SYSTEM_NAMESPACE, NAMESPACE):
            demo.ensure_namespace(namespace)
        chart, operator = self.new.chart, ""
        if "first" in parts:
            first = at_commit(FIRST, Path(tempfile.mkdtemp(prefix="reranker-first-")) / "checkout")
            chart, operator = first.chart, first.load(self.shell, ("operator",))["operator"]
        self.images = self.new.load(self.shell, TARGETS)
        chosen = values(self.images, operator or self.images["operator"])
        self.shell.run("helm", "install", RELEASE, str(chart), *place(), *chosen)
        self.shell.run("kubectl", "apply", "-n", NAMESPACE, "-f", MANIFEST)
        self.await_reranker()

    def await_reranker(self) -> None:
        """Until the present generation is rolled out and serves."""
        wait_until(lambda: reranker_state(self.shell, NAMESPACE, NAME), timeout_s=240, console=self.console)

    def helm(self, part: str) -> Helm:
        """The Helm of a part: the local cluster's is the newest, v3 is built for this."""
        if part == "v3":
            return Helm(self.shell, Path(self.shell.output("hack/build-tools", "hack/release/helm3").strip()) / "helm")
        return Helm(self.shell, Path(self.shell.output("hack/cluster/cluster", "bin").strip()) / "helm")

    def run(self, part: str) -> None:
        """Do one part under load, and keep what was seen."""
        helm, chosen = self.helm(part), values(self.images, self.images["operator"])
        before, traffic = reranker_pods(self.shell), Traffic(self.shell, self.images["bench"])
        time.sleep(BEFORE_S)
        if part == "first":
            steps = [
                helm.step("upgrade of the first chart", "upgrade", RELEASE, str(self.new.chart), *place(), *chosen)
            ]
            time.sleep(AFTER_S)  # the new operator looks at everything that it finds
            self.await_reranker()
            after = [helm.step("uninstall", "uninstall", RELEASE, *place())]
            steps += after
        elif part == "two":
            steps = releases_side_by_side(helm, self.new.chart, chosen)
        else:
            steps = matrix(helm, self.new.chart, chosen)
        time.sleep(LINGER_S)
        summary, failures = traffic.stop()
        replaced = reranker_pods(self.shell) != before
        self.keep(part, {"steps": [step.as_json() for step in steps], "traffic": summary, "replaced": replaced})
        if failures:
            raise StepError(f"{part}: {len(failures)} requests were lost:\n" + "\n".join(failures[:20]))

    def keep(self, part: str, seen: dict[str, Any]) -> None:
        """Add a part to the file of results."""
        known = json.loads(self.results.read_text(encoding="utf-8")) if self.results.is_file() else {}
        known[part] = {"commit": self.new.commit, "first": FIRST, "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", **seen}
        self.results.parent.mkdir(parents=True, exist_ok=True)
        self.results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        self.console.print_json(data=known[part])


def main() -> int:
    """Run the parts on one node; the exit status is 1 when a request was lost or something else went wrong."""
    parser = argparse.ArgumentParser(
        prog="hack/release/upgrade", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all of them, in this order")
    parser.add_argument("--to", type=Path, default=ROOT, help="another checkout to upgrade to than this one")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "upgrade.json", help="(build/upgrade.json)")
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "results" / "upgrade.md")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))} (there are {', '.join(PARTS)})")
    os.environ.setdefault("CLUSTER_NAME", "reranker-upgrade")
    # Ended from outside it must still take its node down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(Checkout(arguments.to), arguments.results)
    try:
        run.prepare(parts)
        if "first" not in parts:
            run.shell.run("helm", "uninstall", RELEASE, *place())
        for part in (part for part in PARTS if part in parts):
            run.run(part)
    except StepError as error:
        print(f"upgrade: {error}", file=sys.stderr)
        return 1
    finally:
        run.shell.try_run(["hack/cluster/cluster", "down"])
        if arguments.results.is_file():
            seen = json.loads(arguments.results.read_text(encoding="utf-8"))
            arguments.report.write_text(report(seen), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
