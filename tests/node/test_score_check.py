"""A pod proves its scores before it serves; one that can't never takes traffic, and the pods of before go on."""

import json
from typing import Any

import httpx
import pytest
from tests.node.conftest import Node

pytestmark = pytest.mark.timeout(600)


def impossible() -> dict[str, Any]:
    """A golden set that no model passes: a document must lead another one by more than scores can differ."""
    case = {"query": "running shoes", "documents": ["running shoes", "garden hose"], "ordered": [[0, 1, 1000.0]]}
    return {"version": 1, "name": "impossible", "cases": [case]}


def ask(node: Node, name: str) -> int:
    """The status of a rerank request to the Service."""
    address = node.get("service", name)["spec"]["clusterIP"]
    body = {"query": "running shoes", "documents": ["garden hose", "running shoes"]}
    return httpx.post(f"http://{address}:8000/rerank", json=body, timeout=30).status_code


def test_proof_baseline_and_a_rollout_that_fails_its_check(node: Node, products: str):
    conditions = node.wait_for(products, 60, ScoringVerified="GoldenSetPassed")
    assert conditions["ScoringVerified"]["status"] == "True"
    scoring = node.get("rrd", products)["status"]["scoring"]
    assert (scoring["failedPods"], scoring["violations"]) == (0, 0)
    baseline = json.loads(node.get("configmap", f"{products}-baseline")["data"][scoring["baseline"]])
    assert baseline["instruction_format"] == "compact"
    assert ask(node, products) == 200

    golden = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "impossible"}}
    node.apply({**golden, "data": {"golden.json": json.dumps(impossible())}})
    node.patch(products, {"scoreCheck": {"goldenSetConfigMap": "impossible"}})
    conditions = node.wait_for(
        products,
        240,
        ScoringVerified="OrderViolated",
        Available="MinimumReplicasAvailable",
        Progressing="ScoreCheckFailed",
    )
    assert "takes no requests" in conditions["Progressing"]["message"]
    assert ask(node, products) == 200

    node.patch(products, {"scoreCheck": {"goldenSetConfigMap": None}})
    node.wait_for(products, 60, Progressing="RolloutComplete", ScoringVerified="GoldenSetPassed")
