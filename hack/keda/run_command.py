"""`hack/keda/run`: KEDA, built from its module, scales a RerankerDeployment on a real node, up with load, then down.

On the node run KEDA's operator and metrics server (pods, from KEDA's own manifests), this project's operator with a
reranker on a CPU, and Prometheus. examples/autoscaling/keda-scaledobject.yaml does the scaling. The node (CLUSTER_NAME,
by default reranker-keda) is taken down at the end; what was seen is written to docs/results/keda.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from hack.demo.shell import ROOT, Shell, StepError
from hack.demo.up import MANIFEST, NAME, NAMESPACE, RELEASE, SYSTEM_NAMESPACE, Demo, sweep_job
from hack.demo.waiting import reranker_state, wait_until
from hack.keda.manifests import IMAGES, adapted, scrape_config, scrape_targets
from hack.keda.observe import OWN_TRIGGER, Moment, ask, external_metric, look
from hack.keda.report import report
from hack.observability.binaries import find
from hack.release.checkouts import Checkout
from hack.release.releases import place, values

TOOLS = ROOT / "hack" / "keda" / "tools"
SCALED_OBJECT = ROOT / "examples" / "autoscaling" / "keda-scaledobject.yaml"
PROMETHEUS_IN_EXAMPLE = "http://prometheus.monitoring:9090"
BINARIES = {"keda": "operator", "keda-adapter": "adapter"}
"""The program in an image, and the name under which the module builds it."""
TARGETS = ("operator", "service-cpu", "bench")
TARGETS_FILE = "/var/lib/prometheus/targets.json"
LOAD = "load"
CONCURRENCY, DOCUMENTS, LOAD_S = 6, 200, 110


class Run:
    """The node and what is on it."""

    def __init__(self, product: Checkout) -> None:
        self.shell, self.console, self.product = Shell(), Console(), product
        self.demo = Demo(self.shell, self.console)
        self.prometheus: subprocess.Popen[str] | None = None
        self.started = time.monotonic()

    def prepare(self) -> None:
        """Node, images, KEDA, the operator, a reranker, Prometheus; each begins while the one before starts."""
        self.shell.run("hack/cluster/cluster", "up")
        self.shell.use_cluster()
        self.demo.ensure_namespace(NAMESPACE)
        self.demo.ensure_namespace(SYSTEM_NAMESPACE)
        self.images = self.product.load(self.shell, TARGETS)
        chosen = values(self.images, self.images["operator"])
        self.shell.run("helm", "install", RELEASE, str(self.product.chart), *place(), *chosen)
        self.shell.run("kubectl", "apply", "-n", NAMESPACE, "-f", MANIFEST)
        self.version = self.install_keda()
        self.start_prometheus()
        for deployment in IMAGES:
            wait = ("rollout", "status", f"deployment/{deployment}", "--timeout=120s")
            self.shell.run("kubectl", "-n", "keda", *wait)
        wait_until(lambda: reranker_state(self.shell, NAMESPACE, NAME), timeout_s=240, console=self.console)

    def install_keda(self) -> str:
        """KEDA's manifests with images of what was built; returns its version."""
        built = Path(self.shell.output("hack/build-tools", str(TOOLS)).strip())
        tag = built.name.rpartition("-")[2]
        with tempfile.TemporaryDirectory() as scratch:
            for image, name in BINARIES.items():
                binary, archive = Path(scratch) / image, Path(scratch) / f"{image}.tar"
                shutil.copy(built / name, binary)
                words = ("hack/cluster/lib/archive.py", str(binary), f"localhost/{image}:{tag}", platform.machine())
                self.shell.run("python3", *words, str(archive))
                self.shell.run("hack/cluster/cluster", "load", str(archive), f"localhost/{image}:{tag}")
        module = json.loads(
            self.shell.output("go", "-C", str(TOOLS), "list", "-m", "-json", "github.com/kedacore/keda/v2")
        )
        rendered = self.shell.output("kubectl", "kustomize", f"{module['Dir']}/config/default")
        objects = yaml.safe_dump_all(adapted(yaml.safe_load_all(rendered), tag))
        # Server-side: some of the definitions are too long for the annotation that kubectl would write.
        self.shell.run("kubectl", "apply", "--server-side", "-f", "-", stdin=objects)
        return str(module["Version"])

    def start_prometheus(self) -> None:
        """Prometheus in the node's namespaces: its folder is the node's /var/lib/prometheus."""
        self.folder.mkdir()
        (self.folder / "config.yaml").write_text(yaml.safe_dump(scrape_config(TARGETS_FILE)), encoding="utf-8")
        self.find_targets()
        command = (
            "hack/cluster/cluster", "enter", str(find("prometheus")), "--config.file=/var/lib/prometheus/config.yaml",
            "--storage.tsdb.path=/var/lib/prometheus/data", "--web.listen-address=:9090",
        )  # fmt: skip
        with (self.state / "log" / "prometheus.log").open("w") as log:
            self.prometheus = subprocess.Popen(
                command, cwd=ROOT, env=self.shell.environment, text=True, stdout=log, stderr=log
            )

    def find_targets(self) -> None:
        """Tell Prometheus of the pods that there are: Debian's build can't ask the API server itself."""
        pods = self.shell.get("-A", "pods", "-l", "app.kubernetes.io/managed-by=reranker-operator")["items"]
        unfinished = self.folder / "targets.tmp"
        unfinished.write_text(json.dumps(scrape_targets(pods)), encoding="utf-8")
        unfinished.rename(self.folder / Path(TARGETS_FILE).name)

    @property
    def state(self) -> Path:
        """The cluster's folder on this machine."""
        return Path(self.shell.environment["KUBECONFIG"]).parent

    @property
    def folder(self) -> Path:
        """Prometheus's folder, which the node sees as /var/lib/prometheus."""
        return self.state / "node" / "prometheus"

    def node_address(self) -> str:
        """Where pods reach the node, and Prometheus in it."""
        [node] = self.shell.get("nodes")["items"]
        return next(str(each["address"]) for each in node["status"]["addresses"] if each["type"] == "InternalIP")

    def scale(self) -> list[Moment]:
        """The ScaledObject at rest, under load, and after it."""
        text = SCALED_OBJECT.read_text(encoding="utf-8")
        text = text.replace(PROMETHEUS_IN_EXAMPLE, f"http://{self.node_address()}:9090")
        self.shell.run("kubectl", "-n", NAMESPACE, "apply", "-f", "-", stdin=text)
        self.started = time.monotonic()
        seen = self.watch("at rest", at_rest, 90)
        self.shell.run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump_all(load_objects(self.images["bench"])))
        seen += self.watch("load", lambda moment: moment.ready == 2, LOAD_S + 60)
        self.shell.run("kubectl", "-n", NAMESPACE, "wait", f"job/{LOAD}", "--for=condition=Complete", "--timeout=180s")
        seen += self.watch("load is over", lambda moment: moment.replicas == 1 and moment.ready == 1, 150)
        return seen

    def own(self) -> str:
        """The ScaledObject that the operator makes for `spec.autoscaling`: what KEDA says of it, and of its metric."""
        self.shell.run("kubectl", "-n", NAMESPACE, "delete", "scaledobject", NAME, "--wait")
        wanted = {"minReplicas": 1, "maxReplicas": 2, "targetQueuedDocuments": 100}
        patch = json.dumps({"spec": {"autoscaling": wanted}})
        self.shell.run("kubectl", "-n", NAMESPACE, "patch", "rrd", NAME, "--type=merge", "-p", patch)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            made = ask(self.shell, "get", "-n", NAMESPACE, "scaledobject", NAME, "-o", "json") or {}
            conditions = {each["type"]: each for each in made.get("status", {}).get("conditions", [])}
            value = external_metric(self.shell, OWN_TRIGGER)
            if conditions.get("Ready", {}).get("status") == "True" and value is not None:
                return f"Ready ({conditions['Ready']['message']}); its metric `{OWN_TRIGGER}` is {value:.0f}"
            time.sleep(1)
        raise StepError(f"the operator's own ScaledObject is not ready after a minute: {json.dumps(made)[-1500:]}")

    def watch(self, phase: str, until: Callable[[Moment], bool], patience_s: float) -> list[Moment]:
        """Look once a second until it holds; a `StepError` tells the last look when it doesn't in time."""
        seen: list[Moment] = []
        begun = time.monotonic()
        while not seen or not until(seen[-1]):
            if seen and time.monotonic() - begun > patience_s:
                raise StepError(f"{phase}: not within {patience_s:.0f} s; last seen {seen[-1]}")
            self.find_targets()
            seen.append(look(self.shell, self.started, phase))
            self.console.print(f"  {seen[-1]}", highlight=False)
            time.sleep(1)
        return seen

    def answers(self) -> dict[str, Any]:
        """What the load's requests came back with."""
        line = self.shell.output("kubectl", "-n", NAMESPACE, "logs", f"job/{LOAD}").splitlines()[-1]
        return dict(json.loads(line))

    def events(self) -> list[str]:
        """What the autoscaler said of itself."""
        found = self.shell.get("-n", NAMESPACE, "events")["items"]
        kinds = {"HorizontalPodAutoscaler", "ScaledObject"}
        return [
            f"{event['involvedObject']['kind']}: {event['reason']}: {event['message']}"
            for event in found
            if event["involvedObject"]["kind"] in kinds
        ]

    def end(self) -> None:
        """Nothing stays."""
        if self.prometheus:
            self.prometheus.terminate()
        self.shell.try_run(["hack/cluster/cluster", "down"])


def at_rest(moment: Moment) -> bool:
    """Whether the autoscaler has all its metrics and wants nothing."""
    return moment.wanted == 1 and None not in moment.waiting.values()


def load_objects(image: str) -> list[dict[str, Any]]:
    """The load's script in a ConfigMap, and a Job that runs it."""
    job = sweep_job(image)
    job["metadata"] = {"name": LOAD, "namespace": NAMESPACE}
    spec = job["spec"]["template"]["spec"]
    [container] = spec["containers"]
    arguments = (f"http://{NAME}:8000", CONCURRENCY, DOCUMENTS, LOAD_S)
    container["command"] = ["python", "/load/load.py", *map(str, arguments)]
    container.pop("args")
    container["volumeMounts"] = [{"name": LOAD, "mountPath": "/load"}]
    spec["volumes"] = [{"name": LOAD, "configMap": {"name": LOAD}}]
    data = {"load.py": (ROOT / "hack" / "keda" / "load.py").read_text(encoding="utf-8")}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": job["metadata"], "data": data}, job]


def main() -> int:
    """Run it; the exit status is 1 when the replicas didn't follow the load."""
    parser = argparse.ArgumentParser(
        prog="hack/keda/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", type=Path, default=ROOT, help="another checkout to take chart and images from")
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "results" / "keda.md")
    arguments = parser.parse_args()
    os.environ.setdefault("CLUSTER_NAME", "reranker-keda")
    # Ended from outside it must still take its node down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(Checkout(arguments.of))
    try:
        run.prepare()
        seen = run.scale()
        answers, events = run.answers(), run.events()
        page = report(run.version, run.product.commit, seen, answers, events, own=run.own())
        arguments.report.write_text(page, encoding="utf-8")
        print(page)
    except StepError as error:
        print(f"keda: {error}", file=sys.stderr)
        for command in (
            ("kubectl", "get", "pods,hpa,scaledobjects,rrd", "-A"),
            ("kubectl", "-n", "keda", "logs", "deployment/keda-operator", "--tail=25"),
            ("kubectl", "-n", "keda", "logs", "deployment/keda-metrics-apiserver", "--tail=15"),
            ("kubectl", "-n", NAMESPACE, "get", "events"),
        ):
            run.shell.try_run(command)
        return 1
    finally:
        run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
