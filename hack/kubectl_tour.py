"""Shows on the local node what `kubectl` tells of one reranker that works and of five that don't, and writes it down.

`python -m hack.kubectl_tour` brings up the node, installs the operator, applies all six, and writes
docs/results/kubectl-tour.md from what was printed. It takes the node down again.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import yaml

from hack.demo.shell import ROOT, Shell
from hack.demo.up import Demo
from hack.node_page import write_from_node

PAGE = ROOT / "docs" / "results" / "kubectl-tour.md"
NAMESPACE = "shop"
GOOD = "products"
MODEL = {"name": "/models/tiny-reranker"}
RESOURCES = {"requests": {"cpu": "100m"}, "limits": {"memory": "5Gi"}}
GOLDEN_SET = {
    "version": 1,
    "name": "impossible",
    "cases": [{"query": "shoes", "documents": ["running shoes", "garden hose"], "ordered": [[0, 1, 1000.0]]}],
}
EXPLAINED = ("rrd.spec.scoreCheck", "rrd.spec.model.source", "rrd.status.conditions")


@dataclass(frozen=True)
class Broken:
    """A reranker that can't work: what is wrong in words, its spec, and what its condition will say."""

    words: str
    spec: dict[str, Any]
    condition: str
    reason: str


BROKEN = {
    "no-image": Broken("its image isn't there", {"image": "localhost/typo:1"}, "Available", "ImagePull"),
    "no-profile": Broken("the operator knows no such GPU", {"gpu": {"type": "h900"}}, "Accepted", "ProfileNotFound"),
    "no-model": Broken("its model isn't there", {"model": {"name": "/models/typo"}}, "Available", "ModelNotFound"),
    "no-memory": Broken(
        "it gets too little memory",
        {"podTemplate": {"resources": {"limits": {"memory": "40Mi"}}}},
        "Available",
        "OOMKilled",
    ),
    "no-order": Broken(
        "it doesn't rank as the golden set wants it to",
        {"scoreCheck": {"goldenSetConfigMap": "impossible"}, "podTemplate": {"resources": RESOURCES}},
        "Available",
        "ScoreCheckFailed",
    ),
}
REFUSED = {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}


def manifest(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A RerankerDeployment."""
    metadata = {"name": name}
    return {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerDeployment",
        "metadata": metadata,
        "spec": {"model": MODEL, **spec},
    }


class Tour:
    """What is seen, one piece of Markdown after another."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.page: list[str] = []

    def say(self, text: str) -> None:
        """Add a paragraph or a heading."""
        self.page.append(text)

    def apply(self, *objects: dict[str, Any], shown: bool = True) -> None:
        """`kubectl apply` of objects in the tour's namespace, shown as their YAML."""
        text = yaml.safe_dump_all(objects, sort_keys=False, default_flow_style=None, width=110)
        command = ("kubectl", "-n", NAMESPACE, "apply", "-f", "-")
        done = subprocess.run(
            command, env=self.shell.environment, input=text, text=True, capture_output=True, check=False
        )
        if shown:
            self.page.append(f"```yaml\n{text}```")
            self.page.append(
                f"```console\n$ kubectl apply -f products.yaml\n{(done.stdout + done.stderr).rstrip()}\n```"
            )

    def show(self, *arguments: str, without_spec: bool = False) -> None:
        """A `kubectl` command and what it printed, whatever its exit status."""
        command = ("kubectl", "-n", NAMESPACE, *arguments)
        done = subprocess.run(command, env=self.shell.environment, text=True, capture_output=True, check=False)
        printed = (done.stdout + done.stderr).rstrip()
        if without_spec:
            printed = re.sub(r"^Spec:\n.*?(?=^Status:)", "Spec: ...\n", printed, flags=re.DOTALL | re.MULTILINE)
        status = "" if done.returncode == 0 else f"\n$ echo $?\n{done.returncode}"
        lines = "\n".join(line.rstrip() for line in printed.splitlines())
        self.page.append(f"```console\n$ kubectl {shlex.join(arguments)}\n{lines}{status}\n```")

    def events(self, name: str) -> None:
        """The Events of one reranker, oldest first."""
        selector = f"involvedObject.kind=RerankerDeployment,involvedObject.name={name}"
        columns = "custom-columns=TYPE:.type,REASON:.reason,MESSAGE:.message"
        self.show(
            "get", "events", "--field-selector", selector, "--sort-by", ".metadata.creationTimestamp", "-o", columns
        )

    def wait_for(self, name: str, condition: str, reason: str) -> None:
        """Wait until a condition has this reason."""
        path = f'jsonpath={{.status.conditions[?(@.type=="{condition}")].reason}}={reason}'
        self.shell.run("kubectl", "-n", NAMESPACE, "wait", f"rrd/{name}", f"--for={path}", "--timeout=300s")


def good(tour: Tour) -> None:
    """The one that works."""
    tour.say("## One that works")
    tour.apply(manifest(GOOD, {"podTemplate": {"resources": RESOURCES}}))
    tour.show("wait", "--for=condition=Available", f"rrd/{GOOD}", "--timeout=10m")
    tour.wait_for(GOOD, "Progressing", "RolloutComplete")
    tour.show("get", "rrd")
    tour.show("get", "rrd", "-o", "wide")
    tour.show("describe", "rrd", GOOD, without_spec=True)
    tour.show("get", "all,configmaps,serviceaccounts", "-l", f"app.kubernetes.io/instance={GOOD}")


def broken(tour: Tour) -> None:
    """The five that don't work, which are applied at once."""
    golden = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "impossible"}}
    tour.apply({**golden, "data": {"golden.json": json.dumps(GOLDEN_SET)}}, shown=False)
    tour.apply(*(manifest(name, each.spec) for name, each in BROKEN.items()), shown=False)
    for name, each in BROKEN.items():
        tour.wait_for(name, each.condition, each.reason)
    tour.say("## Five that don't work")
    tour.show("get", "rrd")
    conditions = '{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\\n"}{end}'
    for name, each in BROKEN.items():
        spec = yaml.safe_dump(each.spec, sort_keys=False, default_flow_style=None).rstrip()
        tour.say(f"### `{name}`: {each.words}")
        tour.say(f"```yaml\n{spec}\n```")
        tour.show("wait", "--for=condition=Available", f"rrd/{name}", "--timeout=1s")
        tour.show("get", "rrd", name, "-o", f"jsonpath={conditions}")
        tour.events(name)


def refused(tour: Tour) -> None:
    """One that the API server doesn't take, and what it would have told of the field."""
    tour.say("## One that the API server refuses")
    tour.apply(manifest("no-range", REFUSED))
    tour.say("## What the fields are")
    for field in EXPLAINED:
        tour.show("explain", field)


def see(shell: Shell, demo: Demo) -> list[str]:
    """The page."""
    demo.ensure_namespace(NAMESPACE)
    tour = Tour(shell)
    tour.say("# What kubectl tells")
    tour.say(
        "One reranker that works, five that don't and one that is refused, on the local node, as `kubectl` showed "
        "them; of `describe` without the spec. Made by `python -m hack.kubectl_tour`; what the words mean stands "
        "in [RerankerDeployment](../rerankerdeployment.md)."
    )
    for part in (good, broken, refused):
        part(tour)
    return tour.page


if __name__ == "__main__":
    sys.exit(write_from_node(PAGE, see))
