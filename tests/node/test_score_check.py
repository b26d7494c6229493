"""A pod proves its scores before it serves; one that can't never takes traffic, and the pods of before go on."""

import json
from typing import Any

import httpx
import pytest
from tests.node.conftest import Node, reranker

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("operator")]

NAME = "products"
RESOURCES = {"requests": {"cpu": "500m"}, "limits": {"memory": "5Gi"}}


def impossible() -> dict[str, Any]:
    """A golden set that no model passes: a document must lead another one by more than scores can differ."""
    case = {"query": "running shoes", "documents": ["running shoes", "garden hose"], "ordered": [[0, 1, 1000.0]]}
    return {"version": 1, "name": "impossible", "cases": [case]}


def ask(node: Node) -> int:
    """The status of a rerank request to the Service."""
    address = node.get("service", NAME)["spec"]["clusterIP"]
    body = {"query": "running shoes", "documents": ["garden hose", "running shoes"]}
    return httpx.post(f"http://{address}:8000/rerank", json=body, timeout=30).status_code


def test_proof_baseline_and_a_rollout_that_fails_its_check(node: Node):
    node.apply(reranker(NAME, podTemplate={"resources": RESOURCES}))
    conditions = node.wait_for(
        NAME,
        240,
        Available="MinimumReplicasAvailable",
        Progressing="RolloutComplete",
        ScoringVerified="GoldenSetPassed",
    )
    assert conditions["ScoringVerified"]["status"] == "True"
    scoring = node.get("rrd", NAME)["status"]["scoring"]
    assert (scoring["failedPods"], scoring["violations"]) == (0, 0)
    baseline = json.loads(node.get("configmap", f"{NAME}-baseline")["data"][scoring["baseline"]])
    assert baseline["instruction_format"] == "compact"
    assert ask(node) == 200

    golden = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "impossible"}}
    node.apply({**golden, "data": {"golden.json": json.dumps(impossible())}})
    node.patch(NAME, {"scoreCheck": {"goldenSetConfigMap": "impossible"}})
    conditions = node.wait_for(
        NAME,
        240,
        ScoringVerified="OrderViolated",
        Available="MinimumReplicasAvailable",
        Progressing="ScoreCheckFailed",
    )
    assert "takes no requests" in conditions["Progressing"]["message"]
    assert ask(node) == 200

    node.patch(NAME, {"scoreCheck": {"goldenSetConfigMap": None}})
    node.wait_for(NAME, 60, Progressing="RolloutComplete", ScoringVerified="GoldenSetPassed")
