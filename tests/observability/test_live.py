"""A real Prometheus scrapes the real service under load and the real operator; then everything is asked."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.observability.traffic import Traffic
from tests.operator.api import Api, eventually
from tests.operator.conftest import CONFIG, Operator, grant, install_crd
from tests.operator.control_plane import ADMIN, OPERATOR, ControlPlane
from tests.operator.resources import make_ready, new_pods, reranker, wait_for
from tests.operator.test_benchmark_runs import bring_up, end_job, start, wait_for_phases
from tests.service.conftest import Service

from hack.observability.ask import Span
from hack.observability.expressions import Expression, of_dashboards, of_rules
from hack.observability.picture import pictures
from hack.observability.server import Client, Prometheus, scrape
from hack.ports import free_port

LOAD_S = float(os.environ.get("OBSERVABILITY_LOAD_S", "45"))
"""Some windows' worth of scrapes; what the dashboards show over minutes they show over seconds here."""
# What a healthy installation has none of, so that nothing to show is right. Everything else must have a value.
HEALTHY_IS_EMPTY = re.compile(r"^reranker\.(objectives|rerankers|operator) / Reranker")
NOTHING_HERE = {"Reranker fleet / Score checks / D": "no pod was given a baseline"}
# Selectors in alerts that match nothing as long as all is well, and why.
NO_SERIES_YET = {
    'reranker_operator_reconciles_total{result="error"}': "no pass has failed",
}


@dataclass(frozen=True)
class Scene:
    """Who runs here."""

    client: Client
    began: float
    ended: float
    answers: dict[int, int]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[list[Service]]:
    """Two of them: one that serves, and one so short of time and room that requests fail and are refused."""
    roomy = Service(tmp_path_factory.mktemp("products"), tiny_model, "qwen3_packed")
    hurried = Service(
        tmp_path_factory.mktemp("articles"),
        tiny_model,
        "qwen3_packed",
        block={"instruction_format": "standard"},
        server={"request_timeout_s": 0.5, "max_queued_documents": 1000},
    )
    started = [roomy, hurried]
    try:
        for service in started:
            service.wait("/readyz")
        yield started
    finally:
        for service in started:
            service.terminate()
            service.process.wait(60)


@dataclass(frozen=True)
class Kubernetes:
    """The operator before a real API server."""

    api: Api
    operator: Operator

    def change_something(self) -> None:
        """A reranker that comes up, one that is refused, and a benchmark of the first."""
        self.api.create("rerankerdeployments", reranker("shop"))
        make_ready(self.api, *new_pods(self.api, "shop"))
        wait_for(self.api, "shop", Available="MinimumReplicasAvailable")
        self.api.create("rerankerdeployments", reranker("shop", "articles", gpu={"type": "no-such-card"}))
        wait_for(self.api, "shop", "articles", Accepted="ProfileNotFound")
        start(self.api, "shop")
        for scenario, mean in (("matrix-s1", 210.0), ("matrix-s2", 340.0)):
            bring_up(self.api, "shop", scenario)
            end_job(self.api, "shop", scenario, mean=mean)
            eventually(lambda name=scenario: self.api.get("rerankerdeployments", "shop", name) is None, "it is gone")
            for left in self.api.list("pods", "shop", f"app.kubernetes.io/instance={scenario}"):
                self.api.delete("pods", "shop", left["metadata"]["name"])
        wait_for_phases(self.api, "shop", "Succeeded", "Succeeded")


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    plane.start()
    api = Api(plane.url, ADMIN, plane.ca)
    config = CONFIG | {"resyncSeconds": 5}
    operator = Operator(tmp_path_factory.mktemp("operator"), plane.kubeconfig(OPERATOR), config)
    try:
        install_crd(api)
        grant(api, "operator")
        api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
        operator.start()
        yield Kubernetes(api, operator)
    finally:
        if operator.process is not None:
            operator.stop()
        api.close()
        plane.stop()


@pytest.fixture(scope="module")
def scene(
    services: list[Service], kubernetes: Kubernetes, rules_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """All of it, after a while of load and while Prometheus is still there."""
    targets = [
        scrape(f"127.0.0.1:{service.port}", {"namespace": "shop", "reranker": name, "pod": f"{name}-0"})
        for service, name in zip(services, ("products", "articles"), strict=True)
    ]
    where = {"namespace": "reranker-system", "pod": "operator-0"}
    targets.append(scrape(f"127.0.0.1:{kubernetes.operator._port}", where, honor_labels=True))
    folder = tmp_path_factory.mktemp("prometheus")
    began = time.time()
    with Prometheus(folder, free_port(), targets, rules_folder / "rules.yaml") as prometheus:
        with Traffic([service.url for service in services]) as traffic:
            time.sleep(LOAD_S / 3)
            kubernetes.change_something()
            time.sleep(LOAD_S * 2 / 3)
            scene = Scene(prometheus.client, began, time.time(), dict(traffic.answers))
        yield scene


def test_every_target_is_scraped(scene: Scene) -> None:
    active = scene.client.get("targets")["activeTargets"]
    assert [(target["scrapeUrl"], target["lastError"]) for target in active if target["health"] != "up"] == []
    assert len(active) == 3


def test_the_load_had_every_outcome(scene: Scene) -> None:
    outcomes = {
        series["metric"]["outcome"]
        for series in scene.client.instant("sum by (outcome) (reranker_request_duration_seconds_count)")
    }
    assert outcomes >= {"ok", "invalid", "refused", "failed"}, scene.answers
    sizes = {
        series["metric"]["documents"]
        for series in scene.client.instant(
            'sum by (documents) (reranker_request_duration_seconds_count{outcome="ok",reranker="products"})'
        )
    }
    assert sizes >= {"1-100", "101-200", "201-400", "401-600", "601-800", "801-1000"}


def test_every_expression_has_a_value(scene: Scene, rule_groups: Any) -> None:
    """No panel and no recording rule is in error or empty; an alert's expression is not in error."""
    lines, faults = [], []
    for expression in [*of_dashboards(), *of_rules(rule_groups)]:
        series = scene.client.instant(expression.resolved(), at=scene.ended)
        numbers = [float(each["value"][1]) for each in series]
        sample = next((number for number in numbers if not math.isnan(number)), None)
        lines.append(f"{expression.where} | {len(series)} series | {sample} | {expression.text}")
        if sample is None and not (HEALTHY_IS_EMPTY.match(expression.where) or expression.where in NOTHING_HERE):
            faults.append(lines[-1])
    print("\n".join(lines))
    assert len(lines) > 80
    assert faults == []


def test_every_series_that_an_alert_looks_at_exists(scene: Scene, rule_groups: Any) -> None:
    """An alert with a misspelt label would be quiet for ever."""
    looked_at = {(selector, each.where) for each in of_rules(rule_groups) for selector in selectors(each)}
    missing = [
        f"{where}: {selector}"
        for selector, where in sorted(looked_at)
        if selector not in NO_SERIES_YET and not scene.client.instant(f"last_over_time({selector}[5m])")
    ]
    assert missing == []


def selectors(expression: Expression) -> set[str]:
    """The vector selectors of an expression."""
    return set(re.findall(r"\b(?:namespace_\w+:|reranker_|up\b)[\w:]*(?:\{[^}]*\})?", expression.text))


def test_the_dashboards_can_be_drawn(scene: Scene, tmp_path: Path) -> None:
    """OBSERVABILITY_PICTURES names a folder for them, such as docs/images."""
    folder = Path(os.environ.get("OBSERVABILITY_PICTURES") or tmp_path)
    for file in pictures(scene.client, Span(scene.began + 5, scene.ended), folder, 15):
        assert file.read_bytes().startswith(b"\x89PNG")
        assert file.stat().st_size > 30_000, "an empty picture is smaller"


def test_prometheus_itself_has_no_trouble_with_the_rules(scene: Scene) -> None:
    rules = [rule for group in scene.client.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 30
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}


def test_the_alerts_that_fire_are_those_of_what_is_wrong_here(scene: Scene) -> None:
    """Pending, since nothing has lasted long enough to fire: the service short of time and room, the refused spec."""
    alerts = scene.client.get("alerts")["alerts"]
    failing = [alert["labels"].get("reranker") for alert in alerts if "ErrorBudget" in alert["labels"]["alertname"]]
    assert set(failing) == {"articles"}
    assert {"RerankerErrorBudgetBurn", "RerankerSpecRefused"} <= {alert["labels"]["alertname"] for alert in alerts}
