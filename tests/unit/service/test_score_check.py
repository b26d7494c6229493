"""The score check: what a golden set and a baseline prove, and what a process does that did not pass."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.service.conftest import RunApp
from tests.unit.service.scripted import PATIENCE_S, ScriptedEngine

from reranker_service.score_check.files import GoldenSetError, read_baseline, read_golden_set
from reranker_service.score_check.golden import Baseline, GoldenSet
from reranker_service.score_check.verdict import baseline_figures, order_figures

GOLDEN = {
    "version": 1,
    "name": "lengths",
    "cases": [
        {"query": "shoes", "documents": ["a b c d e f", "a b", "a"], "ordered": [[0, 1, 3.0], [1, 2, 0.5]]},
        {"query": "shirt", "instruction": "Be strict", "documents": ["x y z", "x"], "ordered": [[0, 1, 1.5]]},
    ],
}
SCORES = [[5.0, 1.0, 0.0], [3.0, 1.0]]


def golden(**changes: Any) -> GoldenSet:
    return GoldenSet.model_validate(GOLDEN | changes)


def baseline(**changes: Any) -> Baseline:
    return Baseline.model_validate(
        {
            "version": 1,
            "model": "m",
            "revision": None,
            "instruction_format": "compact",
            "instruction": "i",
            "golden_set_sha256": "0" * 64,
            "recorded_by": {"backend": "qwen3_vllm", "engine_version": "1"},
            "log_odds": SCORES,
        }
        | changes
    )


def test_pairs_are_in_order_when_each_better_document_leads_by_its_margin() -> None:
    figures = order_figures(golden(), SCORES)
    assert (figures.pairs, figures.violations, figures.worst_margin) == (3, 0, 0.5)


def test_a_lead_below_its_margin_is_a_violation_although_the_order_is_right() -> None:
    figures = order_figures(golden(), [[3.5, 1.0, 0.0], [3.0, 1.0]])
    assert (figures.violations, figures.worst_margin) == (1, -0.5)
    assert figures.worst == "cases[0]: documents[0] leads documents[1] by 2.500, needs 3"


@pytest.mark.parametrize(
    ("scores", "drifted"), [(SCORES, False), ([[5.2, 1.0, 0.0], [3.0, 1.0]], False), ([[5.3, 1, 0], [3, 1]], True)]
)
def test_scores_may_move_from_their_baseline_as_far_as_the_limit(scores: list[list[float]], drifted: bool) -> None:
    figures = baseline_figures(baseline(), baseline(), scores, 0.25)
    assert (figures.status, figures.compared, figures.drifted) == ("compared", 5, drifted)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"revision": "abc"},
        {"instruction_format": "standard"},
        {"instruction": "other"},
        {"golden_set_sha256": "1" * 64},
        {"log_odds": [[5.0, 1.0], [3.0, 1.0]]},
        {"log_odds": [[5.0, 1.0, 0.0]]},
    ],
)
def test_a_baseline_of_another_scoring_is_ignored(changes: dict[str, Any]) -> None:
    figures = baseline_figures(baseline(**changes), baseline(), SCORES, 0.25)
    assert (figures.status, figures.reason, figures.max_drift) == ("ignored", "BaselineOfAnotherScoring", None)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"documents": ["a", "b"], "ordered": [[0, 2, 1.0]]}, r"\[0, 2\] is outside of the 2 documents"),
        ({"documents": ["a", "b"], "ordered": [[1, 1, 1.0]]}, "can't come before itself"),
        ({"documents": ["a", "b"], "ordered": [[0, 1, -1.0]]}, "greater than or equal to 0"),
        ({"documents": ["a", "b"], "ordered": [[0, 1]]}, r"ordered\.0\.2"),
        ({"documents": ["a", "b"], "ordered": []}, "nothing could be proved"),
        ({"documents": ["a", "b"], "ordered": [[0, 1, 1.0]], "pairs": []}, "Extra inputs"),
    ],
)
def test_a_malformed_golden_set_says_what_is_wrong(case: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        golden(cases=[{"query": "q", **case}])


def test_a_golden_sets_error_names_the_file_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    with pytest.raises(GoldenSetError, match=r"golden\.json: can't be read \(No such file"):
        read_golden_set(path)
    path.write_text(json.dumps(GOLDEN | {"version": 2}))
    with pytest.raises(GoldenSetError, match=r"golden\.json: version: Input should be 1"):
        read_golden_set(path)
    path.write_text("{")
    with pytest.raises(GoldenSetError, match=r"golden\.json: Invalid JSON"):
        read_golden_set(path)


def test_a_baseline_that_is_not_there_yet_is_none_and_a_broken_one_has_a_reason(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "baseline.json") is None
    (tmp_path / "baseline.json").write_text("{}")
    assert read_baseline(tmp_path / "baseline.json") == "BaselineInvalid"
    assert read_baseline(tmp_path) == "BaselineUnreadable"


def by_length(ids: list[int]) -> float:
    """An engine for which longer documents are better."""
    return float(len(ids))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "golden.json").write_text(json.dumps(GOLDEN))
    return {"golden_set": str(tmp_path / "golden.json"), "baseline": str(tmp_path / "baseline.json")}


def lengthwise(sign: int = 1) -> ScriptedEngine:
    engine = ScriptedEngine(batch_documents=2)
    engine.rule = lambda ids: sign * by_length(ids)
    return engine


@pytest.mark.anyio
async def test_a_process_that_passes_says_so_with_its_figures(run_app: RunApp, files: dict[str, Any]) -> None:
    async with run_app(lengthwise(), score_check=files) as app:
        body = (await app.client.get("/health")).json()
        shown = body["score_check"]
        assert (shown["mode"], shown["status"], shown["reason"]) == ("enforce", "passed", None)
        assert {key: shown["golden_set"][key] for key in ("name", "pairs", "violations", "worst_margin")} == {
            "name": "lengths", "pairs": 3, "violations": 0, "worst_margin": 0.5,
        }  # fmt: skip
        assert shown["baseline"] == {
            "status": "none", "limit": 0.25, "reason": None, "max_drift": None, "compared": 0,
        }  # fmt: skip
        assert [len(scores) for scores in shown["log_odds"]] == [3, 2]
        assert app.metric("score_check_passed") == 1
        assert (await app.rerank(["a"])).status_code == 200


@pytest.mark.anyio
async def test_a_process_that_fails_stays_up_and_takes_no_work(run_app: RunApp, files: dict[str, Any]) -> None:
    async with run_app(lengthwise(-1), wait=False, score_check=files) as app:
        await app.settled()
        health = await app.client.get("/health")
        assert health.status_code == 503
        assert health.json()["status"] == "score_check_failed"
        assert health.json()["score_check"]["reason"] == "OrderViolated"
        assert health.json()["score_check"]["golden_set"]["violations"] == 3
        assert (await app.client.get("/readyz")).status_code == 503
        assert (await app.client.get("/livez")).status_code == 200
        answer = await app.rerank(["a"])
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "score_check_failed"
        assert "Retry-After" in answer.headers
        assert app.failures == []
        assert "reranker_score_check_passed" in (await app.client.get("/metrics")).text
        assert app.metric("score_check_passed") == 0


@pytest.mark.anyio
async def test_warn_serves_in_spite_of_a_failed_check_and_shows_it(run_app: RunApp, files: dict[str, Any]) -> None:
    async with run_app(lengthwise(-1), score_check=files | {"mode": "warn"}) as app:
        shown = (await app.client.get("/health")).json()["score_check"]
        assert (shown["mode"], shown["status"], shown["reason"]) == ("warn", "failed", "OrderViolated")
        assert (await app.rerank(["a"])).status_code == 200


@pytest.mark.anyio
async def test_without_a_check_nothing_is_claimed(run_app: RunApp) -> None:
    async with run_app(score_check={"mode": "off"}) as app:
        shown = (await app.client.get("/health")).json()["score_check"]
        assert (shown["status"], shown["reason"], shown["golden_set"]) == ("skipped", "Disabled", None)
        assert "reranker_score_check" not in (await app.client.get("/metrics")).text


@pytest.mark.anyio
async def test_scores_that_drifted_from_their_baseline_fail(
    run_app: RunApp, files: dict[str, Any], tmp_path: Path
) -> None:
    async with run_app(lengthwise(), score_check=files) as app:
        health = (await app.client.get("/health")).json()
    recorded = {
        "version": 1,
        "model": health["model"],
        "revision": health["model_revision"],
        "instruction_format": health["instruction_format"],
        "instruction": health["instruction"],
        "golden_set_sha256": health["score_check"]["golden_set"]["sha256"],
        "recorded_by": {"backend": health["backend"], "engine_version": health["engine_version"]},
        "log_odds": health["score_check"]["log_odds"],
    }
    tmp_path.joinpath("baseline.json").write_text(json.dumps(recorded))
    async with run_app(lengthwise(), score_check=files) as app:
        shown = (await app.client.get("/health")).json()["score_check"]
        assert (shown["status"], shown["baseline"]["status"], shown["baseline"]["max_drift"]) == (
            "passed", "compared", 0.0,
        )  # fmt: skip
    drifting = lengthwise()
    drifting.rule = lambda ids: by_length(ids) + 0.3
    async with run_app(drifting, wait=False, score_check=files) as app:
        await app.settled()
        shown = (await app.client.get("/health")).json()["score_check"]
        assert (shown["status"], shown["reason"], shown["baseline"]["max_drift"]) == (
            "failed", "Drift", pytest.approx(0.3),
        )  # fmt: skip
        assert app.metric("score_check_max_drift") == pytest.approx(0.3)


@pytest.mark.anyio
@pytest.mark.timeout(PATIENCE_S)
async def test_a_configured_golden_set_that_is_not_there_is_a_bad_configuration(
    run_app: RunApp, tmp_path: Path
) -> None:
    async with run_app(wait=False, score_check={"golden_set": str(tmp_path / "none.json")}) as app:
        await app.settled()
        (failure,) = app.failures
        assert getattr(failure, "reason", None) == "BadConfiguration"
        assert "score_check.golden_set: " in str(failure)
