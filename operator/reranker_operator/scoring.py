"""What the pods' own score checks say together, and which scores later pods are compared with.

Pure: the pods' answers come in as they are. A pod checks itself before it takes requests, the operator only reads that
from `/health`, and there, too, how far a download is: see `pod_health`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reranker_operator import reasons

KEPT_BASELINES = 16
"""How many baselines are kept, the newest: a few formats and instructions that someone goes back and forth between."""
FIGURES = 4
"""Decimal places of figures in the status."""

_SCORING = ("model", "revision", "instruction_format", "instruction", "golden_set_sha256")
"""What decides a score beside the engine."""


@dataclass(frozen=True)
class PodCheck:
    """One pod's check, as its `/health` tells."""

    pod: str
    status: str
    """pending, passed, failed or skipped."""
    reason: str | None
    message: str
    enforced: bool
    """Whether a failed check keeps the pod from taking requests."""
    golden_set: Mapping[str, Any]
    """name, sha256, pairs, violations and worst_margin; empty where there is none."""
    baseline: Mapping[str, Any]
    """status, max_drift and limit."""
    recording: Mapping[str, Any] | None
    """The baseline that its scores would be; None where there are no scores."""

    @property
    def is_final(self) -> bool:
        """Whether this process will never say anything else."""
        return self.status != "pending"


@dataclass(frozen=True)
class Reading:
    """What came of asking a pod: its check, or why there is none."""

    pod: str
    check: PodCheck | None = None
    fault: str | None = None
    download: str | None = None
    """What it does about its model and how far that is, for people; None where it downloads nothing now."""

    @property
    def is_final(self) -> bool:
        """Whether this process will never say anything else."""
        return self.check is not None and self.check.is_final


@dataclass(frozen=True)
class Proof:
    """What all pods' checks say: the condition ScoringVerified and `status.scoring`."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    figures: Mapping[str, Any] | None = None


def parse_health(pod: str, body: Mapping[str, Any]) -> Reading:
    """Read a pod's `/health`."""
    check = body.get("score_check")
    if not isinstance(check, Mapping) or not isinstance(check.get("status"), str):
        return Reading(pod, fault="its /health tells of no score check; is it another image?")
    return Reading(
        pod,
        PodCheck(
            pod=pod,
            status=check["status"],
            reason=check.get("reason"),
            message=str(check.get("message") or ""),
            enforced=check.get("mode") == "enforce",
            golden_set=check.get("golden_set") or {},
            baseline=check.get("baseline") or {},
            recording=_recording(body, check),
        ),
        download=_download(body.get("loading")),
    )


def prove(readings: Sequence[Reading], wanted: int) -> Proof:
    """What the pods of the present template have proved; `wanted` is how many there shall be."""
    checks = [reading.check for reading in readings if reading.check is not None]
    done = [check for check in checks if check.is_final]
    if wanted == 0 and not done:
        return Proof("Unknown", reasons.SCALED_TO_ZERO, "replicas is 0")
    if failed := [check for check in done if check.status == "failed"]:
        first = failed[0]
        reason = reasons.DRIFT if first.reason == reasons.DRIFT else reasons.ORDER_VIOLATED
        others = "" if len(failed) == 1 else f" (and {len(failed) - 1} more pods)"
        return Proof("False", reason, f"{first.pod}{others}: {first.message}", _figures(done, failed))
    if passed := [check for check in done if check.status == "passed"]:
        return Proof(
            "True", reasons.GOLDEN_SET_PASSED, f"{len(passed)} of {wanted} pods: {passed[0].message}", _figures(done)
        )
    if done:
        skipped = done[0]
        reason = reasons.DISABLED if skipped.reason == reasons.DISABLED else reasons.NO_GOLDEN_SET
        return Proof("Unknown", reason, skipped.message)
    if faults := [reading for reading in readings if reading.fault is not None]:
        return Proof("Unknown", reasons.HEALTH_UNREADABLE, f"{faults[0].pod}: {faults[0].fault}")
    return Proof("Unknown", reasons.CHECK_PENDING, f"0 of {wanted} pods have made the check yet")


def refused_pod(readings: Sequence[Reading]) -> PodCheck | None:
    """A pod that takes no requests because of its check."""
    checks = (reading.check for reading in readings)
    return next((check for check in checks if check is not None and check.status == "failed" and check.enforced), None)


def next_baselines(present: Mapping[str, str], key: str, readings: Sequence[Reading], now: str) -> dict[str, str]:
    """The baselines to keep, by key: those that are there, and of a scoring that has none yet the newest pod's scores.

    Args:
        present: the data of the ConfigMap that holds them.
        key: that of the present spec's.
        readings: of the pods of the present template, newest first.
        now: the time as Kubernetes writes it.
    """
    passed = [check for reading in readings if (check := reading.check) is not None and check.status == "passed"]
    recording = passed[0].recording if passed else None
    if recording is None or _same_scoring(present.get(key), recording):
        return dict(present)
    kept = {name: text for name, text in present.items() if name != key}
    newest_first = sorted(kept, key=lambda name: _recorded_at(kept[name]), reverse=True)
    recorded = json.dumps({**recording, "recorded_at": now}, ensure_ascii=False)
    return {**{name: kept[name] for name in newest_first[: KEPT_BASELINES - 1]}, key: recorded}


def _download(loading: object) -> str | None:
    if not isinstance(loading, Mapping) or loading.get("stage") != "downloading":
        return None
    return str(loading.get("message") or "downloads the model")


def _recording(body: Mapping[str, Any], check: Mapping[str, Any]) -> Mapping[str, Any] | None:
    golden_set, log_odds = check.get("golden_set"), check.get("log_odds")
    if not golden_set or not log_odds:
        return None
    return {
        "version": 1,
        "model": body.get("model"),
        "revision": body.get("model_revision"),
        "instruction_format": body.get("instruction_format"),
        "instruction": body.get("instruction"),
        "golden_set_sha256": golden_set["sha256"],
        "recorded_by": {"backend": body.get("backend"), "engine_version": body.get("engine_version") or "unknown"},
        "log_odds": log_odds,
    }


def _same_scoring(text: str | None, recording: Mapping[str, Any]) -> bool:
    found = _parsed(text)
    return found is not None and all(found.get(name) == recording[name] for name in _SCORING)


def _recorded_at(text: str) -> str:
    return str((_parsed(text) or {}).get("recorded_at", ""))


def _parsed(text: str | None) -> Mapping[str, Any] | None:
    """A baseline's content; None for what is none."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    return found if isinstance(found, Mapping) else None


def _figures(done: Sequence[PodCheck], failed: Sequence[PodCheck] = ()) -> dict[str, Any]:
    """`status.scoring`: the worst of all pods."""
    golden = next((check.golden_set for check in (*failed, *done) if check.golden_set), {})
    drifts = [drift for check in done if (drift := check.baseline.get("max_drift")) is not None]
    margins = [margin for check in done if (margin := check.golden_set.get("worst_margin")) is not None]
    violations = [count for check in done if (count := check.golden_set.get("violations")) is not None]
    limit = done[0].baseline.get("limit")
    figures = {
        "checkedPods": len(done),
        "failedPods": len(failed),
        "goldenSet": golden.get("name"),
        "goldenSetSha256": golden.get("sha256"),
        "pairs": golden.get("pairs"),
        "violations": max(violations, default=None),
        "worstMargin": _rounded(min(margins, default=None)),
        "maxDrift": _rounded(max(drifts, default=None)),
        "driftLimit": _rounded(limit),
    }
    return {name: value for name, value in figures.items() if value is not None}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), FIGURES)
