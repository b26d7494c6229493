"""The condition ScoringVerified and the baselines, with small HTTP servers in the place of pods.

The tests play the kubelet: they write a pod's address and status. The operator then reads `/health` there.
"""

import http.server
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.operator.api import Api, Object, eventually
from tests.operator.conftest import Operator
from tests.operator.resources import (
    conditions,
    container_status,
    new_pods,
    ready_status,
    reranker,
    set_status,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("operator")

PORT = 8000
_addresses = (f"127.8.{number // 250}.{number % 250 + 1}" for number in itertools.count())


def health(status: str, **check: Any) -> Object:
    """What a pod tells of itself."""
    figures = {"name": "tiny", "sha256": "ab12", "pairs": 8, "violations": 0, "worst_margin": 1.5}
    return {
        "status": "ok",
        "backend": "qwen3_vllm_score",
        "instruction_format": "compact",
        "instruction": "Rank.",
        "model": "/models/tiny-reranker",
        "model_revision": None,
        "engine_version": "1",
        "score_check": {
            "mode": "enforce",
            "status": status,
            "reason": None,
            "message": "8 pairs are in order",
            "golden_set": figures,
            "baseline": {"status": "none", "reason": None, "max_drift": None, "limit": 0.25, "compared": 0},
            "log_odds": [[1.5, -2.25]],
            **check,
        },
    }


PENDING = {"golden_set": None, "log_odds": None, "message": "the model is still loading"}


class Pod:
    """Answers `/health` at an address of its own; what it says can be changed."""

    def __init__(self) -> None:
        self.address = next(_addresses)
        self.says: Object | Callable[[], Object] = {}
        self.asked = 0
        pod = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pod.asked += 1
                body = json.dumps(pod.says() if callable(pod.says) else pod.says).encode()
                self.send_response(200 if self.path == "/health" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((self.address, PORT), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve(api: Api) -> Iterator[Callable[..., Pod]]:
    """Has a pod run at an address where it tells this of itself."""
    servers: list[Pod] = []

    def begin(pod: Object, says: Object, *, ready: bool = True) -> Pod:
        server = Pod()
        servers.append(server)
        server.says = says
        running = {"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "started": True}
        status = ready_status() if ready else {"phase": "Running", "conditions": []}
        entry = container_status(ready=ready, containerID=f"x://{pod['metadata']['uid']}", **running)
        address = {"podIP": server.address, "podIPs": [{"ip": server.address}]}
        set_status(api, pod, {**status, **address, "containerStatuses": [entry]})
        return server

    yield begin
    for server in servers:
        server.close()


def baselines(api: Api, namespace: str) -> dict[str, str]:
    found = api.get("configmaps", namespace, "products-baseline")
    return {} if found is None else dict(found["data"])


def test_pods_proof_is_told_and_its_scores_become_the_baseline(api: Api, namespace: str, serve: Any):
    api.create("rerankerdeployments", reranker(namespace))
    (pod,) = new_pods(api, namespace)
    wait_for(api, namespace, ScoringVerified="CheckPending")
    server = serve(pod, health("pending", **PENDING))
    eventually(lambda: server.asked > 1, "it is asked again while its check is pending")
    server.says = health("passed")
    resource = wait_for(api, namespace, ScoringVerified="GoldenSetPassed")
    assert conditions(resource)["ScoringVerified"]["status"] == "True"

    (key,) = eventually(lambda: baselines(api, namespace), "the baseline is kept")
    assert json.loads(baselines(api, namespace)[key])["log_odds"] == [[1.5, -2.25]]
    scoring = wait_for(api, namespace, ScoringVerified="GoldenSetPassed")["status"]["scoring"]
    assert (scoring["pairs"], scoring["checkedPods"], scoring["baseline"]) == (8, 1, key)
    mounted = {volume["name"]: volume for volume in pod["spec"]["volumes"]}["baseline"]["configMap"]
    assert (mounted["items"], mounted["optional"]) == ([{"key": key, "path": "baseline.json"}], True)


def test_download_is_told_while_it_lasts_without_asking_ever_faster(api: Api, namespace: str, serve: Any):
    api.create("rerankerdeployments", reranker(namespace))
    (pod,) = new_pods(api, namespace)
    server = serve(pod, {}, ready=False)

    def downloads() -> Object:
        # Another figure each time: each pass has a status to write, and each write causes a pass.
        message = f"downloads the model: {server.asked} of 1192 MiB"
        return {**health("pending", **PENDING), "loading": {"stage": "downloading", "message": message}}

    server.says = downloads
    first = wait_for(api, namespace, Available="Downloading", Progressing="Downloading")
    message = conditions(first)["Available"]["message"]
    assert message.startswith(f"the pod {pod['metadata']['name']} downloads the model: ")
    asked, since = server.asked, time.monotonic()

    def goes_on() -> bool:
        seen = wait_for(api, namespace, Available="Downloading")
        return conditions(seen)["Available"]["message"] != message

    eventually(goes_on, "the message goes on")
    time.sleep(4)
    assert server.asked - asked <= (time.monotonic() - since) / 3 + 1
    server.says = health("pending", **PENDING)
    wait_for(api, namespace, Available="PodsStarting")


def test_what_was_said_in_the_end_is_not_asked_again(api: Api, namespace: str, serve: Any, operator: Operator):
    api.create("rerankerdeployments", reranker(namespace))
    (pod,) = new_pods(api, namespace)
    server = serve(pod, health("passed"))
    wait_for(api, namespace, ScoringVerified="GoldenSetPassed", Progressing="RolloutComplete")
    asked, passes = server.asked, operator.passes()
    api.patch("pods", namespace, pod["metadata"]["name"], {"metadata": {"annotations": {"touched": "yes"}}})
    eventually(lambda: operator.passes() > passes, "a pass was made")
    assert server.asked == asked


def test_pod_that_fails_its_check_takes_no_traffic_and_the_old_one_goes_on(api: Api, namespace: str, serve: Any):
    api.create("rerankerdeployments", reranker(namespace))
    (old,) = new_pods(api, namespace)
    serve(old, health("passed"))
    wait_for(api, namespace, ScoringVerified="GoldenSetPassed", Progressing="RolloutComplete")
    kept = eventually(lambda: baselines(api, namespace), "the baseline is kept")

    api.patch("rerankerdeployments", namespace, "products", {"spec": {"backend": "qwen3_vllm"}})
    (new,) = new_pods(api, namespace, besides=[old])
    assert [each for each in new["spec"]["volumes"] if each["name"] == "baseline"] == [
        each for each in old["spec"]["volumes"] if each["name"] == "baseline"
    ]  # another backend is compared with the same scores
    drift = {"status": "compared", "reason": None, "max_drift": 3.25, "limit": 0.25, "compared": 2}
    serve(new, health("failed", reason="Drift", message="a score differs by 3.25", baseline=drift), ready=False)
    resource = wait_for(
        api,
        namespace,
        ScoringVerified="Drift",
        Available="MinimumReplicasAvailable",
        Progressing="ScoreCheckFailed",
    )
    assert resource["status"]["scoring"]["maxDrift"] == 3.25
    assert new["metadata"]["name"] in conditions(resource)["ScoringVerified"]["message"]
    assert baselines(api, namespace) == kept

    def told() -> bool:
        events = {event["reason"]: event["type"] for event in api.list("events", namespace)}
        return events.get("Drift") == "Warning"

    eventually(told, "an Event tells of it")


def test_another_format_has_another_baseline_and_the_first_one_stays(api: Api, namespace: str, serve: Any):
    api.create("rerankerdeployments", reranker(namespace))
    (old,) = new_pods(api, namespace)
    serve(old, health("passed"))
    eventually(lambda: len(baselines(api, namespace)) == 1, "the baseline is kept")
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"instructionFormat": "standard"}})
    (new,) = new_pods(api, namespace, besides=[old])
    serve(new, {**health("passed", log_odds=[[3.5, 0.5]]), "instruction_format": "standard"})
    eventually(lambda: len(baselines(api, namespace)) == 2, "both are kept")


def test_nothing_to_prove_it_with_and_no_answer_are_told_apart(api: Api, namespace: str, serve: Any):
    api.create("rerankerdeployments", reranker(namespace))
    (pod,) = new_pods(api, namespace)
    server = serve(pod, {"status": "of another image"})
    resource = wait_for(api, namespace, ScoringVerified="HealthUnreadable")
    assert "tells of no score check" in conditions(resource)["ScoringVerified"]["message"]
    server.says = health("skipped", reason="NoGoldenSet", golden_set=None, log_odds=None)
    wait_for(api, namespace, ScoringVerified="NoGoldenSet", within=40)
    assert baselines(api, namespace) == {}


def test_foreign_config_map_of_the_baselines_name_is_left_alone(api: Api, namespace: str, serve: Any):
    theirs = api.create(
        "configmaps", {"metadata": {"name": "products-baseline", "namespace": namespace}, "data": {"a": "b"}}
    )
    api.create("rerankerdeployments", reranker(namespace))
    (pod,) = new_pods(api, namespace)
    serve(pod, health("passed"))
    wait_for(api, namespace, ScoringVerified="GoldenSetPassed")
    now = api.get("configmaps", namespace, "products-baseline")
    assert now is not None
    assert now["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]
