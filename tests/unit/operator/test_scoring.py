"""What several pods' checks say together, and which scores become the baseline."""

import json
from typing import Any

import pytest

from reranker_operator.scoring import KEPT_BASELINES, Reading, next_baselines, parse_health, prove, refused_pod
from reranker_service.score_check.golden import Baseline

NOW = "2026-02-02T00:00:00Z"
GOLDEN = {"name": "tiny", "sha256": "ab12", "pairs": 2, "violations": 0, "worst_margin": 0.5}


def health(status: str = "passed", **check: Any) -> dict[str, Any]:
    """A pod's `/health`, with these fields of its check."""
    return {
        "status": "ok",
        "backend": "qwen3_vllm_score",
        "instruction_format": "compact",
        "instruction": "Rank.",
        "model": "a/b",
        "model_revision": "c0ffee",
        "engine_version": "0.26",
        "score_check": {
            "mode": "enforce",
            "status": status,
            "reason": None,
            "message": f"it {status}",
            "golden_set": GOLDEN,
            "baseline": {"status": "none", "reason": None, "max_drift": None, "limit": 0.25, "compared": 0},
            "log_odds": [[1.5, -2.25]],
            **check,
        },
    }


def reading(pod: str = "p", status: str = "passed", **check: Any) -> Reading:
    return parse_health(pod, health(status, **check))


PENDING = reading(status="pending", golden_set=None, log_odds=None)
NO_SET = reading(status="skipped", reason="NoGoldenSet", golden_set=None, log_odds=None)
OFF = reading(status="skipped", reason="Disabled", golden_set=None, log_odds=None)
UNREACHABLE = Reading("p", fault="no connection")
CASES: dict[str, tuple[list[Reading], int, tuple[str, str]]] = {
    "no pod yet": ([], 2, ("Unknown", "CheckPending")),
    "none wanted": ([], 0, ("Unknown", "ScaledToZero")),
    "pending": ([PENDING], 1, ("Unknown", "CheckPending")),
    "passed": ([reading()], 1, ("True", "GoldenSetPassed")),
    "passed, another is pending": ([reading(), PENDING], 2, ("True", "GoldenSetPassed")),
    "passed, another can't be asked": ([reading(), UNREACHABLE], 2, ("True", "GoldenSetPassed")),
    "one of two failed": ([reading(), reading("q", "failed", reason="Drift")], 2, ("False", "Drift")),
    "order violated": ([reading(status="failed", reason="OrderViolated")], 1, ("False", "OrderViolated")),
    "nothing to prove it with": ([NO_SET], 1, ("Unknown", "NoGoldenSet")),
    "switched off": ([OFF], 1, ("Unknown", "Disabled")),
    "can't be asked": ([UNREACHABLE], 1, ("Unknown", "HealthUnreadable")),
}


@pytest.mark.parametrize("case", CASES)
def test_proof(case: str):
    readings, wanted, expected = CASES[case]
    proof = prove(readings, wanted)
    assert (proof.status, proof.reason) == expected


def test_figures_are_the_worst_of_all_pods():
    worse = {**GOLDEN, "worst_margin": -0.25, "violations": 1}
    far = {"status": "compared", "max_drift": 0.125, "limit": 0.25}
    near = {"status": "compared", "max_drift": 0.0625, "limit": 0.25}
    failed = reading("q", "failed", reason="OrderViolated", golden_set=worse, baseline=near)
    figures = prove([reading(baseline=far), failed], 2).figures
    assert figures is not None
    assert (figures["checkedPods"], figures["failedPods"]) == (2, 1)
    assert (figures["worstMargin"], figures["violations"], figures["maxDrift"]) == (-0.25, 1, 0.125)


def test_pod_is_refused_where_the_check_is_enforced():
    failed = reading("q", "failed", reason="Drift")
    assert refused_pod([reading(), failed]) == failed.check
    assert refused_pod([reading("q", "failed", reason="Drift", mode="warn")]) is None


def test_health_of_something_else_is_a_fault():
    assert parse_health("p", {"status": "ok"}).fault is not None
    assert parse_health("p", {"score_check": "passed"}).fault is not None


def test_download_is_told_while_it_lasts():
    message = "downloads the model: 412 of 1192 MiB"
    loading = {"stage": "downloading", "message": message}
    assert parse_health("p", {**health("pending"), "loading": loading}).download == message
    assert parse_health("p", {**health("pending"), "loading": {"stage": "warming_up"}}).download is None
    assert parse_health("p", {**health("passed"), "loading": None}).download is None


def test_first_scores_become_a_baseline_that_the_service_reads():
    kept = next_baselines({}, "k.json", [reading()], NOW)
    baseline = Baseline.model_validate_json(kept["k.json"])
    assert (baseline.model, baseline.revision, baseline.golden_set_sha256) == ("a/b", "c0ffee", "ab12")
    assert baseline.log_odds == [[1.5, -2.25]]
    assert baseline.recorded_by.backend == "qwen3_vllm_score"


def test_later_scores_of_the_same_scoring_leave_it_alone():
    kept = next_baselines({}, "k.json", [reading()], NOW)
    other_engine = health(log_odds=[[9.0, 9.0]])
    other_engine["backend"] = "qwen3_packed"
    assert next_baselines(kept, "k.json", [parse_health("q", other_engine)], "2027-01-01T00:00:00Z") == kept


@pytest.mark.parametrize("field", ["model", "model_revision", "instruction_format", "instruction"])
def test_scores_of_another_scoring_take_its_place(field: str):
    kept = next_baselines({}, "k.json", [reading()], NOW)
    changed = {**health(), field: "another"}
    assert next_baselines(kept, "k.json", [parse_health("q", changed)], NOW) != kept


def test_unusable_baseline_is_replaced():
    kept = next_baselines({"k.json": "{broken"}, "k.json", [reading()], NOW)
    assert json.loads(kept["k.json"])["log_odds"] == [[1.5, -2.25]]


@pytest.mark.parametrize("readings", [[], [reading(status="failed", reason="Drift")], [NO_SET], [UNREACHABLE]])
def test_only_scores_that_passed_are_kept(readings: list[Reading]):
    assert next_baselines({"a.json": "{}"}, "k.json", readings, NOW) == {"a.json": "{}"}


def test_newest_baselines_are_kept():
    kept: dict[str, str] = {}
    for number in range(KEPT_BASELINES + 2):
        kept = next_baselines(kept, f"{number}.json", [reading()], f"2026-01-{number + 1:02}T00:00:00Z")
    assert kept.keys() == {f"{number}.json" for number in range(2, KEPT_BASELINES + 2)}
