"""The figures of a results file, against values worked out by hand."""

from __future__ import annotations

import statistics

import pytest

from reranker_bench import stats
from reranker_bench.answers import LossReason
from reranker_bench.load import Sample
from reranker_bench.results import Cell


def test_mean_and_stdev_are_those_of_the_sample() -> None:
    values = [213.5, 210.0, 220.25, 208.75, 215.0]
    assert stats.mean(values) == pytest.approx(213.5)
    # Deviations 0, -3.5, 6.75, -4.75, 1.5: squares sum to 82.625, divided by n - 1 = 4.
    assert stats.stdev(values) == pytest.approx((82.625 / 4) ** 0.5)
    assert stats.stdev(values) == pytest.approx(statistics.stdev(values))


def test_one_value_has_no_spread() -> None:
    assert stats.stdev([5.0]) is None


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, 10.0), (50, 30.0), (95, 48.0), (99, 49.6), (100, 50.0)],
)
def test_percentiles_lie_between_the_nearest_ranks(percent: float, expected: float) -> None:
    # Five values: rank of p95 is 3.8, so 40 + 0.8 * 10.
    assert stats.percentile([50.0, 10.0, 30.0, 20.0, 40.0], percent) == pytest.approx(expected)


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert stats.percentile([7.5], 99) == 7.5


def test_a_cell_keeps_order_and_leaves_lost_samples_out_of_the_figures() -> None:
    samples = [
        Sample(100, 1, ms=30.0, status=200, truncated=2),
        Sample(100, 2, reason=LossReason.STATUS, detail="status 500: no", status=500),
        Sample(100, 3, ms=10.0, status=200, truncated=1),
    ]
    cell = Cell.of(100, samples)
    assert cell.values_ms == (30.0, 10.0)
    assert cell.mean_ms == 20.0
    assert cell.p50_ms == 20.0
    assert cell.truncated == 3
    assert [(loss.repeat, loss.reason, loss.status) for loss in cell.lost] == [(2, LossReason.STATUS, 500)]


def test_a_cell_that_lost_everything_has_no_figures() -> None:
    cell = Cell.of(100, [Sample(100, 1, reason=LossReason.TIMEOUT, detail="late")])
    assert (cell.values_ms, cell.mean_ms, cell.stdev_ms, cell.p50_ms, cell.p95_ms, cell.p99_ms) == ((), *[None] * 5)
    assert len(cell.lost) == 1
