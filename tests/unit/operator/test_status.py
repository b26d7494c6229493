"""The status as a function of what was observed."""

from typing import Any

import pytest

from reranker_operator import reasons
from reranker_operator.events import event
from reranker_operator.scoring import Reading, parse_health
from reranker_operator.status import SPEC_VALID, Observation, Turn, Verdict, compute_status, present_pods, turns

NOW, EARLIER = "2026-02-02T00:00:00Z", "2026-01-01T00:00:00Z"
SELECTOR = "app.kubernetes.io/name=reranker,app.kubernetes.io/instance=products,app.kubernetes.io/component=server"
INVALID = Verdict(reasons.PROFILE_NOT_FOUND, "no such profile")


def resource(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "products", "namespace": "shop", "uid": "u1", "generation": 4, "resourceVersion": "9"}
    return {
        "apiVersion": "reranker.dev/v1alpha1",
        "kind": "RerankerDeployment",
        "metadata": metadata,
        "spec": {"model": {"name": "a/b", "revision": "main"}, **spec},
        **({} if status is None else {"status": status}),
    }


def deployment(wanted: int = 2, *, observed: int = 3, conditions: Any = (), **counts: int) -> dict[str, Any]:
    """A Deployment of generation 3 with all pods up to date, but for what is given."""
    figures = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted}
    status = {"observedGeneration": observed, "conditions": list(conditions), **figures, **counts}
    template = {"metadata": {"annotations": {"reranker.dev/template-hash": "new"}}}
    return {"metadata": {"generation": 3}, "spec": {"replicas": wanted, "template": template}, "status": status}


def unschedulable_pod() -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    return {"metadata": {"name": "p", "creationTimestamp": NOW}, "status": {"conditions": [condition]}}


def observe(**fields: Any) -> dict[str, Any]:
    defaults = {"resource": resource(), "verdict": SPEC_VALID, "deployment": deployment(), "pods": [], "now": NOW}
    return compute_status(Observation(**{**defaults, **fields}))


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [entry for entry in status["conditions"] if entry["type"] == kind]
    return dict(found)


def words(status: dict[str, Any], kind: str) -> tuple[str, str]:
    found = condition(status, kind)
    return found["status"], found["reason"]


def test_whole_status_of_a_complete_rollout():
    times = {"observedGeneration": 4, "lastTransitionTime": NOW}
    assert observe() == {
        "observedGeneration": 4,
        "replicas": 2,
        "readyReplicas": 2,
        "ready": "2/2",
        "selector": SELECTOR,
        "endpoint": "http://products.shop.svc:8000",
        "model": {"name": "a/b", "revision": "main"},
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "reason": "SpecValid",
                "message": "the spec is valid and is carried out",
                **times,
            },
            {
                "type": "Available",
                "status": "True",
                "reason": "MinimumReplicasAvailable",
                "message": "2 of 2 pods serve",
                **times,
            },
            {
                "type": "Progressing",
                "status": "False",
                "reason": "RolloutComplete",
                "message": "all 2 pods are up to date",
                **times,
            },
            {
                "type": "ScoringVerified",
                "status": "Unknown",
                "reason": "CheckPending",
                "message": "0 of 2 pods have made the check yet",
                **times,
            },
        ],
    }


def refusal(message: str) -> list[dict[str, Any]]:
    return [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]


NONE = {"replicas": 0, "updatedReplicas": 0, "readyReplicas": 0, "availableReplicas": 0}
DEADLINE = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
# What is observed; then status and reason of Available and of Progressing.
CASES: dict[str, tuple[dict[str, Any], tuple[str, str], tuple[str, str]]] = {
    "just created": (
        {"deployment": {"metadata": {"generation": 1}, "spec": {"replicas": 1}}},
        ("False", "PodsStarting"),
        ("True", "RollingOut"),
    ),
    "one of two": (
        {"deployment": deployment(readyReplicas=1, availableReplicas=1)},
        ("True", "MinimumReplicasAvailable"),
        ("True", "RollingOut"),
    ),
    "ready, but not for long enough": (
        {"deployment": deployment(availableReplicas=1)},
        ("True", "MinimumReplicasAvailable"),
        ("True", "RollingOut"),
    ),
    "change not seen by the controller": (
        {"deployment": deployment(observed=2)},
        ("True", "MinimumReplicasAvailable"),
        ("True", "RollingOut"),
    ),
    "old pod not gone": (
        {"deployment": deployment(replicas=3, readyReplicas=3, availableReplicas=3)},
        ("True", "MinimumReplicasAvailable"),
        ("True", "RollingOut"),
    ),
    "no replicas wanted": (
        {"deployment": deployment(0)},
        ("False", "ScaledToZero"),
        ("False", "RolloutComplete"),
    ),
    "pod unschedulable, none serves": (
        {"deployment": deployment(readyReplicas=0, availableReplicas=0), "pods": [unschedulable_pod()]},
        ("False", "Unschedulable"),
        ("True", "Unschedulable"),
    ),
    "pod unschedulable, old ones serve": (
        {"deployment": deployment(replicas=3, updatedReplicas=1), "pods": [unschedulable_pod()]},
        ("True", "MinimumReplicasAvailable"),
        ("True", "Unschedulable"),
    ),
    "pods refused": (
        {"deployment": deployment(**NONE, conditions=refusal("exceeded quota"))},
        ("False", "PodsRefused"),
        ("True", "PodsRefused"),
    ),
    "deadline exceeded": (
        {"deployment": deployment(readyReplicas=0, availableReplicas=0, conditions=DEADLINE)},
        ("False", "PodsStarting"),
        ("False", "ProgressDeadlineExceeded"),
    ),
    "not accepted, nothing deployed": (
        {"verdict": INVALID, "deployment": None},
        ("False", "NotAccepted"),
        ("False", "NotAccepted"),
    ),
    "not accepted, old pods serve": (
        {"verdict": INVALID},
        ("True", "MinimumReplicasAvailable"),
        ("False", "NotAccepted"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_available_and_progressing(case: str):
    seen, available, progressing = CASES[case]
    status = observe(**seen)
    assert words(status, "Available") == available
    assert words(status, "Progressing") == progressing


def test_accepted_gives_the_verdict():
    status = observe(verdict=INVALID)
    assert words(status, "Accepted") == ("False", "ProfileNotFound")
    assert condition(status, "Accepted")["message"] == "no such profile"


def test_model_of_a_spec_that_is_not_accepted_is_not_shown_as_served():
    before = {"model": {"name": "old"}, "conditions": []}
    assert observe(resource=resource(before), verdict=INVALID)["model"] == {"name": "old"}
    assert "model" not in observe(verdict=INVALID)


def test_transition_time_changes_with_the_status_only():
    old = observe(now=EARLIER)
    same = observe(resource=resource(old))
    assert same == old
    other_reason = observe(resource=resource(old), deployment=deployment(readyReplicas=1, availableReplicas=1))
    assert condition(other_reason, "Available")["lastTransitionTime"] == EARLIER
    assert condition(other_reason, "Progressing")["lastTransitionTime"] == NOW


def test_first_status_turns_every_condition():
    assert [turn.type for turn in turns(None, observe())] == ["Accepted", "Available", "Progressing", "ScoringVerified"]


def test_turns_are_changes_of_status_or_reason():
    old = observe()
    assert turns(old, observe(deployment=deployment(3))) == []
    (turn,) = turns(old, observe(deployment=deployment(replicas=3, updatedReplicas=1), pods=[unschedulable_pod()]))
    assert (turn.type, turn.reason, turn.is_warning) == ("Progressing", "Unschedulable", True)


def reading(status: str, reason: str | None = None, mode: str = "enforce") -> Reading:
    check = {"status": status, "reason": reason, "message": f"it {status}", "mode": mode}
    golden = {"name": "tiny", "sha256": "ab", "pairs": 8, "violations": 1, "worst_margin": -0.123456}
    figures = {"golden_set": golden, "baseline": {"max_drift": 0.0123456, "limit": 0.25}}
    return parse_health("p", {"score_check": {**check, **(figures if status in ("passed", "failed") else {})}})


def test_pod_that_failed_its_check_is_the_reason_why_nothing_serves():
    seen = {"deployment": deployment(readyReplicas=0, availableReplicas=0), "readings": [reading("failed", "Drift")]}
    status = observe(**seen)
    assert words(status, "ScoringVerified") == ("False", "Drift")
    assert words(status, "Available") == ("False", "ScoreCheckFailed")
    assert words(status, "Progressing") == ("True", "ScoreCheckFailed")
    assert "the pod p takes no requests" in condition(status, "Available")["message"]


def downloading() -> Reading:
    loading = {"stage": "downloading", "message": "downloads the model: 412 of 1192 MiB"}
    return parse_health("p", {"score_check": {"status": "pending"}, "loading": loading})


def test_download_is_told_where_nothing_serves_yet():
    status = observe(deployment=deployment(readyReplicas=0, availableReplicas=0), readings=[downloading()])
    assert words(status, "Available") == ("False", "Downloading")
    assert words(status, "Progressing") == ("True", "Downloading")
    assert condition(status, "Available")["message"] == "the pod p downloads the model: 412 of 1192 MiB"


def test_download_of_a_further_pod_is_told_of_the_rollout_only_and_after_a_failure():
    seen = {"deployment": deployment(replicas=3, updatedReplicas=1), "readings": [downloading()]}
    assert words(observe(**seen), "Available") == ("True", "MinimumReplicasAvailable")
    assert words(observe(**seen), "Progressing") == ("True", "Downloading")
    assert words(observe(**seen, pods=[unschedulable_pod()]), "Progressing") == ("True", "Unschedulable")


def test_failed_check_that_only_warns_keeps_serving():
    status = observe(readings=[reading("failed", "OrderViolated", mode="warn")])
    assert words(status, "ScoringVerified") == ("False", "OrderViolated")
    assert words(status, "Available") == ("True", "MinimumReplicasAvailable")


def test_figures_of_the_check_are_rounded():
    status = observe(readings=[reading("passed")], baseline="0.json")
    assert status["scoring"] == {
        "checkedPods": 1,
        "failedPods": 0,
        "goldenSet": "tiny",
        "goldenSetSha256": "ab",
        "pairs": 8,
        "violations": 1,
        "worstMargin": -0.1235,
        "maxDrift": 0.0123,
        "driftLimit": 0.25,
        "baseline": "0.json",
    }


def test_no_node_with_the_labels_is_told_from_nodes_that_are_taken():
    seen = {"deployment": deployment(readyReplicas=0, availableReplicas=0), "pods": [unschedulable_pod()]}
    status = observe(**seen, missing_node_labels={"gpu": "t4"})
    assert words(status, "Available") == ("False", "NoMatchingNodes")
    assert "no node has the labels gpu=t4" in condition(status, "Available")["message"]


def test_present_pods_are_those_of_the_present_template_newest_first():
    def pod(name: str, created: str, template: str, **more: str) -> dict[str, Any]:
        annotations = {"reranker.dev/template-hash": template}
        return {"metadata": {"name": name, "creationTimestamp": created, "annotations": annotations, **more}}

    pods = [
        pod("older", EARLIER, "new"),
        pod("newer", NOW, "new"),
        pod("of-before", NOW, "old"),
        pod("going", NOW, "new", deletionTimestamp=NOW),
        {"metadata": {"name": "of-nobody"}},
    ]
    assert [each["metadata"]["name"] for each in present_pods(deployment(), pods)] == ["newer", "older"]
    assert present_pods(None, pods) == []


def test_event_of_a_turn():
    turn = Turn("Available", reasons.IMAGE_PULL, "x" * 2000)
    made = event(resource(), turn, NOW)
    assert (made["type"], made["reason"], made["involvedObject"]["uid"]) == ("Warning", "ImagePull", "u1")
    assert made["message"].startswith("Available: xxx")
    assert len(made["message"]) == 1024
    assert event(resource(), Turn("Available", reasons.SCALED_TO_ZERO, "replicas is 0"), NOW)["type"] == "Normal"


def test_every_reason_is_one_word_and_comes_once():
    values = [value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)]
    assert len(values) == len(set(values))
    assert all(value.isalpha() for value in values)
    assert set(values) >= reasons.FAILURES
