"""Watches an installation on the local node and writes down what Prometheus and the dashboards make of it.

`python -m hack.observability.tour` brings up the node, installs the chart as docs/install.md says to be watched,
applies two rerankers (one serves, one is refused), benchmarks the first, and takes Prometheus's targets and rules from
the PodMonitors and the PrometheusRule that the API server has. It writes docs/results/observability.md and the
dashboards' pictures in docs/images, and takes the node down again.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hack.demo.shell import ROOT, Shell, StepError
from hack.demo.up import NAME, NAMESPACE, RELEASE, SYSTEM_NAMESPACE, Demo
from hack.demo.waiting import wait_until
from hack.node_page import write_from_node
from hack.observability.ask import Span
from hack.observability.discovery import scrape_configs
from hack.observability.expressions import Expression, of_dashboards, of_rules
from hack.observability.picture import pictures
from hack.observability.server import Client, Prometheus
from hack.ports import free_port

PAGE = ROOT / "docs" / "results" / "observability.md"
PICTURES = ROOT / "docs" / "images"
MONITORING_CRDS = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
WATCHED = ("podMonitor.enabled=true", "prometheusRule.enabled=true", "dashboards.enabled=true")
WRONG, BENCHMARK = "articles", "formats"
SIZES, SIZE_S = "10,150,300,500,700,1000", 20
RATE_WINDOW_S = 30.0
PATIENCE_S = 600.0
AFTER_LOAD_S = 5.0
"""For the last scrapes and evaluations."""


def main() -> int:
    """The exit status is 1 when a step failed."""
    return write_from_node(PAGE, see)


def see(shell: Shell, demo: Demo) -> Sequence[str]:
    """What there was to see, a paragraph each."""
    apply_monitoring_crds(shell)
    change_release(shell, *WATCHED)
    demo.apply_reranker()
    apply(shell, reranker_of_no_profile())
    tested = helm_test(shell)
    apply(shell, benchmark())
    wait_until(lambda: benchmark_state(shell), timeout_s=PATIENCE_S, console=demo.console)
    groups = [
        group
        for rule in shell.get("-n", SYSTEM_NAMESPACE, "prometheusrules")["items"]
        for group in rule["spec"]["groups"]
    ]
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.yaml"
        rules.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False), encoding="utf-8")
        with Prometheus(Path(folder), free_port(), targets(shell), rules) as prometheus:
            client = prometheus.client
            began = time.time()
            load(shell)
            time.sleep(AFTER_LOAD_S)
            ended = time.time()
            pictures(client, Span(began + RATE_WINDOW_S / 2, ended), PICTURES, RATE_WINDOW_S)
            return [
                opening(shell),
                "## helm test", f"```console\n$ helm test {RELEASE} --namespace {SYSTEM_NAMESPACE}\n{tested}\n```",
                "## Targets", target_table(client),
                "## Dashboards", pictured(shell),
                "## Alerts", alert_table(client),
                "## Every query of every panel", value_table(client, of_dashboards(), ended),
                "## Every rule", value_table(client, of_rules(groups), ended),
            ]  # fmt: skip


def change_release(shell: Shell, *values: str) -> None:
    """`helm upgrade` with some values beside those that there are."""
    shell.run(
        "helm", "upgrade", RELEASE, "charts/reranker-operator", "--namespace", SYSTEM_NAMESPACE, "--reuse-values",
        "--wait", "--set", ",".join(values),
    )  # fmt: skip


def apply_monitoring_crds(shell: Shell) -> None:
    """The definitions of PodMonitor and PrometheusRule, from the Prometheus operator's Go module."""
    module = json.loads(shell.output("go", "mod", "download", "-json", MONITORING_CRDS))
    folder = Path(module["Dir"]) / "example" / "prometheus-operator-crd"
    for kind in ("podmonitors", "prometheusrules"):
        # Server-side: they are too long for the annotation that kubectl would write.
        shell.run("kubectl", "apply", "--server-side", "-f", str(folder / f"monitoring.coreos.com_{kind}.yaml"))


def apply(shell: Shell, manifest: dict[str, Any]) -> None:
    """`kubectl apply` in the demonstration's namespace."""
    shell.run("kubectl", "-n", NAMESPACE, "apply", "-f", "-", stdin=yaml.safe_dump(manifest))


def reranker_of_no_profile() -> dict[str, Any]:
    """A reranker that the operator refuses, so that there is something to be woken by."""
    spec = {"model": {"name": "/models/tiny-reranker"}, "gpu": {"type": "h900"}}
    return {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerDeployment",
        "metadata": {"name": WRONG},
        "spec": spec,
    }


def helm_test(shell: Shell) -> str:
    """The chart's own test, which asks the operator and the reranker; what it printed last."""
    address = f"http://{NAME}.{NAMESPACE}.svc:8000"
    change_release(shell, "metricsService.enabled=true", f"test.urls[0]={address}")
    printed = shell.output("helm", "test", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--timeout", "3m")
    return "\n".join(
        line for line in printed.splitlines() if re.match(r"TEST SUITE|Last (Started|Completed)|Phase", line)
    )


def targets(shell: Shell) -> list[dict[str, Any]]:
    """What Prometheus scrapes, by the PodMonitors and pods that the API server has."""
    pods = shell.get("-A", "pods")["items"]
    monitors = shell.get("-A", "podmonitors")["items"]
    return [config for monitor in monitors for config in scrape_configs(monitor, pods)]


def load(shell: Shell) -> None:
    """Requests of every size for a while, and some that the service refuses or cuts."""
    with shell.port_forward(NAMESPACE, f"service/{NAME}", 8000) as url:
        post = ("curl", "-sS", "-o", "/dev/null", f"{url}/rerank", "-H", "Content-Type: application/json", "-d")
        for body in ('{"query": "shoes"}', long_document(), '{"query": "shoes"}'):
            shell.run(*post, body)
        shell.run(
            str(ROOT / ".venv" / "bin" / "reranker-bench"), "run", url, SIZES, "--concurrency", "2",
            "--duration", str(SIZE_S), "--quiet-runs", "--warmup-requests", "1",
        )  # fmt: skip
        for body in (long_document(), '{"query": "shoes"}'):
            shell.run(*post, body)


def long_document() -> str:
    """A request whose one document must be cut, and whose other two are equal."""
    return json.dumps({"query": "shoes", "documents": ["long " * 400, "the same", "the same"]})


def benchmark() -> dict[str, Any]:
    """A short one of two scenarios, each on a copy of the reranker."""
    return {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerBenchmark",
        "metadata": {"name": BENCHMARK},
        "spec": {
            "deploymentRef": {"name": NAME},
            "scenarios": [
                {"backend": "qwen3_vllm_score", "instructionFormat": "compact"},
                {"backend": "qwen3_vllm_score", "instructionFormat": "standard"},
            ],
            "documents": [10, 100],
            "repeat": 3,
            "warmup": {"requests": 1, "documents": 50},
        },
    }


def benchmark_state(shell: Shell) -> tuple[bool, str]:
    """Whether it is over and its copies of the reranker are gone, and a line on it."""
    status = shell.get("-n", NAMESPACE, "rrb", BENCHMARK).get("status", {})
    if status.get("phase") == "Failed":
        raise StepError(f"the benchmark failed: {status}")
    copies = shell.get("-n", NAMESPACE, "pods", "-l", f"app.kubernetes.io/instance in ({BENCHMARK}-s1,{BENCHMARK}-s2)")
    line = f"{status.get('phase')} {status.get('done', '')}, pods of copies: {len(copies['items'])}"
    return status.get("phase") == "Succeeded" and not copies["items"], line


def opening(shell: Shell) -> str:
    """What stands on the page."""
    version = shell.get("-n", SYSTEM_NAMESPACE, "deployment", RELEASE)["metadata"]["labels"][
        "app.kubernetes.io/version"
    ]
    commit = subprocess.run(
        ("git", "rev-parse", "--short", "HEAD"), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    return f"""# An installation, watched

The chart {version} (commit {commit}) on a real node of 2 cores, installed and changed by the commands of
[installing](../install.md), with the Prometheus operator's definitions in the cluster. A reranker with the
demonstration model serves, another is refused (`gpu.type: h900`), a RerankerBenchmark of two scenarios has run; then
the first one is asked for {len(SIZES.split(","))} x {SIZE_S} s.

Debian's Prometheus does not come with the discovery through the API server: it is given the pods that the chart's
PodMonitors choose, with the labels that they set, and the rules of the PrometheusRule, all as the API server has them.
Grafana is not run: tests check the dashboards' schema, and the pictures are drawn from the same panels and answers.
`python -m hack.observability.tour` does it all again and writes this page."""


def target_table(client: Client) -> str:
    """What is scraped."""
    lines = ["| job | namespace | pod | reranker | health |", "|---|---|---|---|---|"]
    for target in client.get("targets")["activeTargets"]:
        labels = target["labels"]
        cells = (labels["job"], labels["namespace"], labels["pod"], labels.get("reranker", ""), target["health"])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def pictured(shell: Shell) -> str:
    """The dashboards as the chart has handed them to Grafana's sidecar, and how they look."""
    maps = shell.get("-n", SYSTEM_NAMESPACE, "configmaps", "-l", "grafana_dashboard=1")["items"]
    names = sorted(file.removesuffix(".json") for each in maps for file in each["data"])
    return "\n\n".join(f"![{name}](../images/dashboard-{name}.png)" for name in names)


def alert_table(client: Client) -> str:
    """Every alert, and where it stands."""
    lines = ["| alert | state | of | says |", "|---|---|---|---|"]
    for group in client.get("rules")["groups"]:
        for rule in group["rules"]:
            if rule["type"] != "alerting":
                continue
            for alert in rule["alerts"] or [{"labels": {}, "annotations": {}}]:
                of = " ".join(alert["labels"].get(label, "") for label in ("namespace", "name", "reranker")).strip()
                lines.append(f"| {rule['name']} | {rule['state']} | {of} | {alert['annotations'].get('summary', '')} |")
    return "\n".join(lines)


def value_table(client: Client, expressions: Sequence[Expression], at: float) -> str:
    """Each expression with how many series it had and the first value that is a number."""
    lines = ["| where | series | a value | expression |", "|---|--:|--:|---|"]
    for expression in expressions:
        series = client.instant(expression.resolved(), at=at)
        numbers = [float(each["value"][1]) for each in series]
        sample = next((f"{number:.4g}" for number in numbers if not math.isnan(number)), "")
        text = re.sub(r"\s+", " ", expression.text).replace("|", "\\|")
        lines.append(f"| {expression.where} | {len(series)} | {sample} | `{text}` |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
