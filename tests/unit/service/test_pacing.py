"""What a submission is expected to take comes from those of its size, and is never too much by another size's pace."""

import pytest

from reranker_service.pacing import Pace


def test_nothing_is_expected_before_anything_was_seen() -> None:
    assert Pace().expected(10_000) == 0.0


def test_sizes_have_a_pace_of_their_own() -> None:
    pace = Pace()
    for _ in range(50):
        pace.observe(3_000, 0.006)
        pace.observe(25_000, 0.038)
    assert pace.expected(3_000) == pytest.approx(0.006)
    assert pace.expected(25_000) == pytest.approx(0.038)
    assert pace.expected(3_200) == pytest.approx(0.0064)


def test_a_size_that_was_not_seen_is_expected_at_the_fastest_pace() -> None:
    pace = Pace()
    pace.observe(3_000, 0.006)
    pace.observe(25_000, 0.025)
    assert pace.expected(300) == pytest.approx(0.0003)


def test_a_pace_follows_what_is_seen() -> None:
    pace = Pace()
    pace.observe(1_000, 0.010)
    for _ in range(30):
        pace.observe(1_000, 0.002)
    assert pace.expected(1_000) == pytest.approx(0.002, rel=0.02)


def test_a_submission_of_nothing_is_no_division_by_zero() -> None:
    pace = Pace()
    pace.observe(0, 0.001)
    assert pace.expected(0) == 0.0
