"""From what was observed to the status: counts, conditions, and which of them turned.

Pure: the clock's reading comes in as a value. `lastTransitionTime` changes only when a condition's status does, and
everything else depends on the observation alone, so at rest the same status comes out and nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reranker_operator import reasons
from reranker_operator.api.status import ConditionStatus, ConditionType
from reranker_operator.names import PORT, TEMPLATE_HASH_ANNOTATION, selector
from reranker_operator.pod_failures import Failure, Pod, find_failure, shortened
from reranker_operator.scoring import Proof, Reading, prove, refused_pod

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What became of the spec: the condition Accepted."""

    reason: str
    message: str

    @property
    def accepted(self) -> bool:
        """Whether the spec is carried out."""
        return self.reason in reasons.ACCEPTED


SPEC_VALID = Verdict(reasons.SPEC_VALID, "the spec is valid and is carried out")


@dataclass(frozen=True)
class Observation:
    """All that a status is made from."""

    resource: Object
    """The RerankerDeployment, with its present status."""
    verdict: Verdict
    deployment: Object | None
    """The child Deployment; None where none was ever made."""
    pods: Sequence[Pod]
    now: str
    """The time as Kubernetes writes it, to the second."""
    readings: Sequence[Reading] = ()
    """What the pods of the present template say of their score check."""
    baseline: str | None = None
    """The key under which their baseline is kept, if it is."""
    mount_failure: Failure | None = None
    """Why a pod's volumes can't be mounted."""
    missing_node_labels: Mapping[str, str] | None = None
    """The labels that an unschedulable pod asks of its node, where no node has them."""


@dataclass(frozen=True)
class Turn:
    """A condition that changed its status or reason: what an Event tells."""

    type: ConditionType
    reason: str
    message: str

    @property
    def is_warning(self) -> bool:
        """Whether someone has to act."""
        return self.reason in reasons.FAILURES


@dataclass(frozen=True)
class _State:
    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True)
class _Rollout:
    """The Deployment in figures. Those of an older generation count as not yet updated."""

    wanted: int
    total: int
    updated: int
    ready: int
    available: int
    deadline_exceeded: bool
    refused: Failure | None

    @property
    def complete(self) -> bool:
        return self.wanted == self.total == self.updated == self.available


def compute_status(seen: Observation) -> dict[str, Any]:
    """The status to write."""
    metadata = seen.resource["metadata"]
    rollout = _rollout(seen.deployment)
    obstacle = _failure(seen) or rollout.refused or _download(seen)
    proof = _proof(seen, rollout)
    states: dict[ConditionType, _State] = {
        "Accepted": _State("True" if seen.verdict.accepted else "False", seen.verdict.reason, seen.verdict.message),
        "Available": _available(seen, rollout, obstacle),
        "Progressing": _progressing(seen, rollout, obstacle),
        "ScoringVerified": _State(proof.status, proof.reason, proof.message),
    }
    return {
        "observedGeneration": metadata["generation"],
        "replicas": rollout.total,
        "readyReplicas": rollout.ready,
        "ready": f"{rollout.ready}/{rollout.wanted}",
        "selector": selector(metadata["name"]),
        "endpoint": f"http://{metadata['name']}.{metadata['namespace']}.svc:{PORT}",
        **_model(seen),
        **_scoring(seen, proof),
        "conditions": [_condition(kind, state, seen) for kind, state in states.items()],
    }


def turns(before: Object | None, after: Object) -> list[Turn]:
    """The conditions whose status or reason differ between two statuses."""
    old = _conditions(before)
    return [
        Turn(new["type"], new["reason"], new["message"])
        for new in after["conditions"]
        if (old.get(new["type"], {}).get("status"), old.get(new["type"], {}).get("reason"))
        != (new["status"], new["reason"])
    ]


def present_pods(deployment: Object | None, pods: Sequence[Pod]) -> list[Pod]:
    """The pods of the Deployment's present template that aren't going, newest first."""
    if deployment is None:
        return []
    wanted = _template_hash(deployment["spec"]["template"])
    present = [
        pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and _template_hash(pod) == wanted is not None
    ]
    return sorted(
        present, key=lambda pod: (pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]), reverse=True
    )


def _template_hash(item: Object) -> str | None:
    found: str | None = (item["metadata"].get("annotations") or {}).get(TEMPLATE_HASH_ANNOTATION)
    return found


def _failure(seen: Observation) -> Failure | None:
    """Why a pod doesn't serve, in more detail than the pod itself tells."""
    failure = find_failure(seen.pods) or seen.mount_failure
    if failure is not None and failure.reason == reasons.UNSCHEDULABLE and seen.missing_node_labels:
        labels = ", ".join(f"{key}={value}" for key, value in sorted(seen.missing_node_labels.items()))
        return Failure(reasons.NO_MATCHING_NODES, f"no node has the labels {labels}; {failure.message}")
    if failure is None and (refused := refused_pod(seen.readings)) is not None:
        message = f"the pod {refused.pod} takes no requests, its score check failed: {refused.message}"
        return Failure(reasons.SCORE_CHECK_FAILED, message)
    return failure


def _download(seen: Observation) -> Failure | None:
    """How far a pod's download of its model is: no failure, but told as one, being why the pod doesn't serve yet."""
    found = next((reading for reading in seen.readings if reading.download is not None), None)
    if found is None:
        return None
    return Failure(reasons.DOWNLOADING, f"the pod {found.pod} {found.download}")


def _proof(seen: Observation, rollout: _Rollout) -> Proof:
    if seen.deployment is None:
        return Proof("Unknown", reasons.NOT_ACCEPTED, f"nothing is deployed: {seen.verdict.message}")
    return prove(seen.readings, rollout.wanted)


def _scoring(seen: Observation, proof: Proof) -> dict[str, Any]:
    if proof.figures is None:
        return {}
    baseline = {} if seen.baseline is None else {"baseline": seen.baseline}
    return {"scoring": {**proof.figures, **baseline}}


def _rollout(deployment: Object | None) -> _Rollout:
    if deployment is None:
        return _Rollout(0, 0, 0, 0, 0, deadline_exceeded=False, refused=None)
    status = deployment.get("status", {})
    current = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    conditions = _conditions(status)
    deadline = conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded"
    refusal = conditions.get("ReplicaFailure", {})
    refused = (
        Failure(reasons.PODS_REFUSED, f"no pod can be created: {shortened(refusal.get('message', ''))}")
        if current and refusal.get("status") == "True"
        else None
    )
    return _Rollout(
        wanted=deployment["spec"].get("replicas", 1),
        total=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0) if current else 0,
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        deadline_exceeded=current and deadline,
        refused=refused,
    )


def _available(seen: Observation, rollout: _Rollout, obstacle: Failure | None) -> _State:
    """Whether traffic is served now, by whatever pods; the obstacle is what keeps one from it."""
    if rollout.ready > 0:
        message = f"{rollout.ready} of {rollout.wanted} pods serve"
        return _State("True", reasons.MINIMUM_REPLICAS_AVAILABLE, message)
    if seen.deployment is None:
        return _State("False", reasons.NOT_ACCEPTED, f"nothing is deployed: {seen.verdict.message}")
    if rollout.wanted == 0:
        return _State("False", reasons.SCALED_TO_ZERO, "replicas is 0")
    if obstacle is not None:
        return _State("False", obstacle.reason, obstacle.message)
    return _State("False", reasons.PODS_STARTING, f"0 of {rollout.wanted} pods serve; they are starting")


def _progressing(seen: Observation, rollout: _Rollout, obstacle: Failure | None) -> _State:
    """Whether the cluster is on its way to the spec.

    A failing rollout is still under way, with the failure as its reason: Kubernetes goes on trying until the deadline.
    """
    if not seen.verdict.accepted:
        return _State("False", reasons.NOT_ACCEPTED, "the spec is not carried out; what was deployed before stays")
    if rollout.complete:
        return _State("False", reasons.ROLLOUT_COMPLETE, f"all {rollout.wanted} pods are up to date")
    if rollout.deadline_exceeded:
        message = obstacle.message if obstacle is not None else "the pods did not become ready in time"
        return _State("False", reasons.DEADLINE_EXCEEDED, message)
    if obstacle is not None:
        return _State("True", obstacle.reason, obstacle.message)
    message = f"{rollout.updated} of {rollout.wanted} pods are up to date, {rollout.available} available"
    return _State("True", reasons.ROLLING_OUT, message)


def _model(seen: Observation) -> dict[str, Any]:
    """The model that is served: of the spec where that was accepted, else what the status says already."""
    if not seen.verdict.accepted:
        before = seen.resource.get("status", {}).get("model")
        return {"model": before} if before is not None else {}
    model = seen.resource["spec"]["model"]
    return {"model": {key: model[key] for key in ("name", "revision") if key in model}}


def _condition(kind: ConditionType, state: _State, seen: Observation) -> dict[str, Any]:
    before = _conditions(seen.resource.get("status")).get(kind)
    unchanged = before is not None and before["status"] == state.status
    return {
        "type": kind,
        "status": state.status,
        "reason": state.reason,
        "message": state.message,
        "observedGeneration": seen.resource["metadata"]["generation"],
        "lastTransitionTime": before["lastTransitionTime"] if before is not None and unchanged else seen.now,
    }


def _conditions(status: Object | None) -> dict[str, Object]:
    """A status's conditions by type."""
    return {condition["type"]: condition for condition in (status or {}).get("conditions") or ()}
