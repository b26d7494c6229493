"""The page on upgrades tells every step, and what the client lost."""

from typing import Any

from hack.release.upgrade_report import report


def part(**changes: Any) -> dict[str, Any]:
    step = {"helm": "v4.3.1", "what": "upgrade", "seconds": 4.2, "untouched": True, "refused": ""}
    traffic = {"requests": 900, "failures": 0, "p50_s": 0.05, "p99_s": 0.2, "max_s": 0.3, "seconds": 90.0}
    seen = {"commit": "abc1234", "first": "def5678", "when": "2026-01-31 12:00", "replaced": False}
    return {**seen, "steps": [{**step, **changes.pop("step", {})}], "traffic": {**traffic, **changes}}


def test_steps_and_counts_are_told() -> None:
    page = report({"v4": part()})
    assert "| v4.3.1 | upgrade | 4.2 s | yes |" in page
    assert "900 requests in 90.0 s, **0 lost**; p50 50 ms, p99 200 ms" in page


def test_lost_requests_and_touched_pods_are_not_hidden() -> None:
    page = report({"v4": part(failures=3, step={"untouched": False})})
    assert "**3 lost**" in page
    assert "| v4.3.1 | upgrade | 4.2 s | no |" in page


def test_what_helm_refused_is_quoted_in_one_cell() -> None:
    page = report({"v4": part(step={"refused": "conflict with a|b"})})
    assert "upgrade: refused, `conflict with a b` |" in page


def test_parts_that_were_not_run_are_not_on_the_page() -> None:
    page = report({"two": part()})
    assert "Two releases" in page
    assert "Helm 3" not in page
