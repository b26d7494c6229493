"""The steps of `make demo`, in the order that a user of the project would take them by hand."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from hack.demo.progress import Step
from hack.demo.shell import ROOT, Shell, StepError
from hack.demo.waiting import job_state, reranker_state, wait_until

RELEASE = "reranker-operator"
SYSTEM_NAMESPACE = "reranker-system"
NAMESPACE = "reranker-demo"
NAME = "products"
JOB = "sweep"
QUERY = "健身女生T恤短袖"
TITLES = "examples/titles.txt"
MANIFEST = "examples/products-cpu.yaml"
IMAGES = ("operator", "service-cpu", "bench")


class Demo:
    """What the steps share: the images that were built, and the results to show at the end."""

    def __init__(self, shell: Shell, console: Console) -> None:
        self.shell = shell
        self.console = console
        self.images: dict[str, str] = {}
        self.results: list[Table | Text] = []

    def steps(self) -> list[Step]:
        """All steps; each may be run again after it was done."""
        pods = ("kubectl", "-n", NAMESPACE, "get", "pods,events", "--sort-by=.metadata.creationTimestamp")
        operator_logs = (
            "kubectl", "-n", SYSTEM_NAMESPACE, "logs", f"deployment/{RELEASE}", "--tail=40", "--all-containers",
        )  # fmt: skip
        service_logs = (
            "kubectl", "-n", NAMESPACE, "logs", "-l", f"app.kubernetes.io/instance={NAME}", "--tail=40", "--prefix",
        )  # fmt: skip
        return [
            Step("Kubernetes node", self.bring_up_cluster, (("hack/cluster/cluster", "status"),)),
            Step("Images", self.build_images),
            Step(
                "Operator, installed by Helm",
                self.install_operator,
                (("kubectl", "-n", SYSTEM_NAMESPACE, "get", "pods,events"), operator_logs),
            ),
            Step(
                f"RerankerDeployment {NAME}",
                self.apply_reranker,
                (("kubectl", "-n", NAMESPACE, "describe", "rrd", NAME), pods, operator_logs, service_logs),
            ),
            Step(f"Ranking for {QUERY}", self.rank, (service_logs,)),
            Step(
                "Benchmark, as a Job in the cluster",
                self.sweep,
                (("kubectl", "-n", NAMESPACE, "logs", f"job/{JOB}", "--tail=40"), pods, service_logs),
            ),
            Step("What there is now", self.show),
        ]

    def bring_up_cluster(self) -> None:
        """The local node, or a look at the user's own cluster."""
        if self.shell.local:
            self.shell.run("hack/cluster/cluster", "up")
        else:
            self.shell.run("kubectl", "cluster-info")
        self.shell.use_cluster()

    def build_images(self) -> None:
        """Build what changed, and hand it to the node."""
        for line in self.shell.output("hack/images/build", *IMAGES).splitlines():
            name, _, reference = line.partition("=")
            self.images[name.removeprefix("reranker-")] = reference
        missing = set(IMAGES) - set(self.images)
        if missing:
            raise StepError(f"hack/images/build did not name the images {', '.join(sorted(missing))}")
        self.shell.run("hack/images/load", *IMAGES)
        for reference in self.images.values():
            self.console.print(f"  {reference}")

    def install_operator(self) -> None:
        """`helm upgrade --install`, which is `helm install` the first time."""
        repository, _, tag = self.images["operator"].rpartition(":")
        self.ensure_namespace(SYSTEM_NAMESPACE)
        self.shell.run(
            "helm", "upgrade", "--install", RELEASE, "charts/reranker-operator",
            "--namespace", SYSTEM_NAMESPACE, "--wait", "--timeout", "3m",
            "--set-string", f"image.repository={repository},image.tag={tag}",
            "--set-string", f"images.cpu={self.images['service-cpu']},images.bench={self.images['bench']}",
        )  # fmt: skip

    def apply_reranker(self) -> None:
        """Apply the example and wait until it serves."""
        self.ensure_namespace(NAMESPACE)
        self.shell.run("kubectl", "apply", "-n", NAMESPACE, "-f", MANIFEST)
        wait_until(lambda: reranker_state(self.shell, NAMESPACE, NAME), timeout_s=600, console=self.console)

    def ensure_namespace(self, name: str) -> None:
        """A namespace in which only pods of the strictest security profile may run."""
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
        self.shell.run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(namespace))

    def rank(self) -> None:
        """Post the query with the titles of the file, and show the order that comes back."""
        titles = (ROOT / TITLES).read_text(encoding="utf-8").split("\n")
        documents = [title for title in titles if title.strip()]
        body = {"query": QUERY, "documents": documents}
        with self.shell.port_forward(NAMESPACE, f"service/{NAME}", 8000) as url:
            try:
                response = httpx.post(f"{url}/rerank", json=body, timeout=60)
            except httpx.HTTPError as error:
                raise StepError(f"POST {url}/rerank: {error!r}") from error
        if response.status_code != 200:
            raise StepError(f"POST /rerank answered {response.status_code}: {response.text}")
        self.present(ranking_table(documents, response.json()["results"]))

    def sweep(self) -> None:
        """A small benchmark from inside the cluster."""
        self.shell.run("kubectl", "-n", NAMESPACE, "delete", "job", JOB, "--ignore-not-found", "--wait")
        self.shell.run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(sweep_job(self.images["bench"])))
        wait_until(lambda: job_state(self.shell, NAMESPACE, JOB), timeout_s=300, console=self.console)
        self.present(Text(self.shell.output("kubectl", "-n", NAMESPACE, "logs", f"job/{JOB}").rstrip()))

    def show(self) -> None:
        """What `kubectl get rrd` says."""
        self.present(Text("$ kubectl get rrd\n" + self.shell.output("kubectl", "get", "rrd", "-n", NAMESPACE).rstrip()))

    def present(self, result: Table | Text) -> None:
        """Print a result, and keep it for the picture."""
        self.results.append(result)
        self.console.print(result)

    def next_words(self) -> Group:
        """How to go on, and how to stop."""
        use = '  eval "$(hack/cluster/cluster env)"   # kubectl and helm for this cluster\n' if self.shell.local else ""
        return Group(
            Text(
                f"\nTo go on:\n{use}"
                f"  kubectl -n {NAMESPACE} get rrd {NAME} -w\n"
                f'  kubectl -n {NAMESPACE} patch rrd {NAME} --type=merge -p \'{{"spec":{{"backend":"qwen3_vllm"}}}}\'\n'
                f"  kubectl -n {NAMESPACE} port-forward service/{NAME} 8000:8000   # then POST http://127.0.0.1:8000/rerank\n"
                "To stop:\n  make demo-down"
            )
        )

    def save_picture(self, path: Path) -> None:
        """Write the results as an SVG picture."""
        recorder = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
        recorder.print("[bold]$ make demo[/bold]")
        for result in self.results:
            recorder.print(result)
        picture = recorder.export_svg(title="make demo")
        # Fonts from another site don't load where a page shows the picture; what the reader has will do.
        path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")


def ranking_table(documents: list[str], results: list[dict[str, Any]]) -> Table:
    """The order that came back, best first, with scores."""
    table = Table(title=f"{QUERY}: {len(documents)} titles, best first", title_justify="left")
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("title")
    for rank, result in enumerate(results, start=1):
        table.add_row(str(rank), f"{result['relevance_score']:.4f}", documents[result["index"]])
    return table


def sweep_job(image: str) -> dict[str, Any]:
    """The Job that benchmarks the Service from a pod beside it."""
    container = {
        "name": "bench",
        "image": image,
        "args": [
            "run", "10,50,100", "--repeat", "3", "--seed", "99", "--quiet-runs", "--wait", "120",
            "--warmup-requests", "1", "--warmup-documents", "50", "--url", f"http://{NAME}:8000",
            "--termination-log", "/dev/termination-log",
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }  # fmt: skip
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": JOB,
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": "reranker-demo"},
        },
        "spec": {"backoffLimit": 0, "activeDeadlineSeconds": 280, "template": {"spec": pod}},
    }
