"""What of the KEDA run is decided without a cluster: its manifests, its figures, its report."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.keda.manifests import adapted, scrape_targets
from hack.keda.observe import TRIGGERS, Moment, changes, quantity
from hack.keda.report import report

ROOT = Path(__file__).resolve().parents[3]


def deployment(name: str) -> dict[str, Any]:
    container = {"name": name, "image": "registry/keda:main", "args": ["--x"], "readinessProbe": {"httpGet": {}}}
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [copy.deepcopy(container)]}}},
    }


def moment(second: int, *, phase: str = "load", replicas: int = 1, waiting: float | None = 5.0) -> Moment:
    return Moment(second, phase, dict.fromkeys(TRIGGERS, waiting), replicas, replicas, replicas)


def test_the_images_are_those_that_the_node_was_given() -> None:
    objects = adapted([deployment("keda-operator"), deployment("keda-metrics-apiserver")], "abc")
    containers = [each["spec"]["template"]["spec"]["containers"][0] for each in objects]
    assert [container["image"] for container in containers] == ["localhost/keda:abc", "localhost/keda-adapter:abc"]
    assert {container["imagePullPolicy"] for container in containers} == {"Never"}
    assert containers[0]["args"] == ["--x", "--enable-webhook-patching=false"]
    assert containers[1]["args"] == ["--x"]


def test_the_webhook_is_left_out_and_nothing_else() -> None:
    service = {"kind": "Service", "metadata": {"name": "keda-operator"}}
    webhook = [
        {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "keda-admission"}},
        {"kind": "Service", "metadata": {"name": "keda-admission-webhooks"}},
        deployment("keda-admission"),
    ]
    assert adapted([*webhook, service, None], "abc") == [service]  # type: ignore[list-item]


@pytest.mark.parametrize(("text", "number"), [("1600", 1600), ("1500m", 1.5), ("2k", 2000), ("0", 0)])
def test_quantities_are_read(text: str, number: float) -> None:
    assert quantity(text) == number


def test_of_the_looks_every_change_is_kept_and_one_in_ten_seconds() -> None:
    seen = [moment(second) for second in range(12)] + [moment(12, replicas=2), moment(13, replicas=2)]
    assert [each.second for each in changes(seen)] == [0, 10, 12]


def test_the_report_tells_what_was_seen_and_where_there_was_no_answer() -> None:
    seen = [moment(0, phase="at rest", waiting=None), moment(3, replicas=2, waiting=1234.4)]
    page = report(
        "v2.21.0", "abc", seen, {"answers": {"200": 7, "429": 1}, "documents": 200}, ["A: b", "A: b"], own="Ready"
    )
    assert "| 0 | at rest | – | – | 1 | 1 | 1 |" in page
    assert "| 3 | load | 1234 | 1234 | 2 | 2 | 2 |" in page
    assert "Load: 200: 7, 429: 1" in page
    assert page.count("* A: b") == 1


def test_the_example_asks_the_triggers_that_the_run_looks_at() -> None:
    example = yaml.safe_load((ROOT / "examples/autoscaling/keda-scaledobject.yaml").read_text())
    kinds = [trigger["type"] for trigger in example["spec"]["triggers"]]
    assert kinds == ["prometheus", "metrics-api"]
    assert TRIGGERS[1].endswith(example["spec"]["triggers"][1]["metadata"]["valueLocation"])


def test_pods_are_scraped_with_the_labels_that_the_example_asks_for() -> None:
    def pod(**status: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/instance": "products"}
        ports = [{"name": "http", "containerPort": 8000}, {"name": "other", "containerPort": 1}]
        metadata = {"name": "products-1", "namespace": "search", "labels": labels}
        return {"metadata": metadata, "status": status, "spec": {"containers": [{"ports": ports}, {}]}}

    assert scrape_targets([pod(podIP="10.0.0.1"), pod()]) == [
        {
            "targets": ["10.0.0.1:8000"],
            "labels": {"namespace": "search", "pod": "products-1", "reranker": "products"},
        }
    ]
