"""Old against new: the right interval, the right verdict, and no comparison of what was not measured alike."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from reranker_bench import comparison_report, html_report, stats
from reranker_bench.cli import main
from reranker_bench.comparing import CompareError, Verdict, compare
from reranker_bench.server_counters import Counters


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    # From printed tables of Student's distribution.
    [
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 4, 2.776),
        (0.95, 8, 1.860),
        (0.995, 10, 3.169),
        (0.975, 30, 2.042),
        (0.975, 120, 1.980),
        (0.975, 5000, 1.960),
        (0.5, 3, 0.0),
    ],
)
def test_quantiles_are_those_of_the_tables(probability: float, degrees: float, expected: float) -> None:
    assert stats.t_quantile(probability, degrees) == pytest.approx(expected, abs=6e-4)


def test_nineteen_of_twenty_intervals_hold_the_true_ratio() -> None:
    draw = random.Random(1)
    held = 0
    for _ in range(1000):
        old = [draw.gauss(100, 4) for _ in range(5)]
        new = [draw.gauss(110, 9) for _ in range(5)]
        ratio = stats.ratio_of_means(old, new, 0.95)
        assert ratio.low is not None
        assert ratio.high is not None
        held += ratio.low <= 1.1 <= ratio.high
    assert 925 <= held <= 975


def test_the_ratio_is_that_of_the_means() -> None:
    ratio = stats.ratio_of_means([90.0, 110.0], [150.0, 150.0, 150.0], 0.95)
    assert ratio.value == pytest.approx(1.5)
    assert stats.ratio_of_means([100.0], [50.0, 51.0], 0.95).low is None
    same = stats.ratio_of_means([2.0, 2.0], [1.0, 1.0], 0.95)
    assert (same.value, same.low, same.high) == (0.5, 0.5, 0.5)


def test_each_cell_gets_its_verdict(make_run: Any) -> None:
    old = make_run({100: [100, 101, 99], 200: [200, 201, 199], 400: [400, 440, 360], 600: [600], 800: [1, 2]})
    new = make_run({100: [72, 73, 71], 200: [220, 221, 219], 400: [410, 370, 450], 600: [500]})
    cells = compare([old], [new]).pairs[0].cells
    assert [(cell.documents, cell.verdict) for cell in cells] == [
        (100, Verdict.FASTER),
        (200, Verdict.SLOWER),
        (400, Verdict.NO_DIFFERENCE),
        (600, Verdict.UNKNOWN),
    ]
    assert cells[0].percent == pytest.approx(-28.0)


def test_only_what_is_shown_to_be_slower_and_by_more_fails(make_run: Any) -> None:
    old = make_run({100: [100, 101, 99], 200: [200, 300, 100], 400: [400, 401, 399]})
    new = make_run({100: [104, 105, 103], 200: [230, 330, 130], 400: [440, 441, 439]})
    comparison = compare([old], [new])
    assert [cell.documents for _, cell in comparison.slower_than(5)] == [400]
    assert [cell.documents for _, cell in comparison.slower_than(3)] == [100, 400]


def test_runs_of_a_matrix_are_paired_by_what_they_measured(make_run: Any) -> None:
    old = [make_run({100: [1, 2]}), make_run({100: [3, 4]}, backend="b")]
    new = [make_run({100: [3, 4]}, backend="b"), make_run({100: [5, 6]}, backend="c"), make_run({100: [1, 2]})]
    comparison = compare(old, new)
    assert [pair.name for pair in comparison.pairs] == ["qwen3_vllm, compact", "b, compact"]
    assert comparison.unmatched == ("only new: c, compact",)


def test_two_single_runs_are_compared_whatever_they_measured(make_run: Any) -> None:
    comparison = compare([make_run({100: [2, 2]})], [make_run({100: [1, 1]}, backend="qwen3_packed")])
    assert comparison.pairs[0].name == "qwen3_vllm, compact -> qwen3_packed, compact"
    assert comparison.differences == []


def test_what_cannot_be_paired_is_refused(make_run: Any) -> None:
    run, other = make_run({100: [1, 2]}), make_run({100: [1, 2]}, backend="b")
    with pytest.raises(CompareError, match=r"the old side has qwen3_vllm, compact twice"):
        compare([run, run], [run])
    with pytest.raises(CompareError, match=r"no scenario is on both sides"):
        compare([run], [other, make_run({100: [1]}, backend="c")])
    with pytest.raises(CompareError, match=r"no size was measured on both sides"):
        compare([run], [make_run({200: [1, 2]})])


HEALTH = {"backend": "qwen3_vllm", "instruction_format": "compact", "model": "tiny", "max_model_len": 160}


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"gpu": "Tesla T4"}, "GPU unknown against 'Tesla T4'"),
        ({"health": HEALTH | {"model": "large"}}, "model 'tiny' against 'large'"),
        ({"health": HEALTH | {"max_model_len": 320}}, "max_model_len 160 against 320"),
        ({"parameters": {"concurrency": 8}}, "concurrency 1 against 8"),
        ({"parameters": {"dialect": "tei"}}, "dialect 'rerank' against 'tei'"),
        ({"parameters": {"arrivals": "even"}}, "arrivals unknown against 'even'"),
        ({"parameters": {"warmup_documents": 100}}, "warmup_documents 400 against 100"),
        ({"interrupted": True}, "new run was interrupted"),
    ],
)
def test_runs_that_were_not_measured_alike_say_so(make_run: Any, change: dict[str, Any], difference: str) -> None:
    found = compare([make_run({100: [1, 2]})], [make_run({100: [1, 2]}, **change)]).differences
    assert found == [f"qwen3_vllm, compact: {difference}"]


def test_sizes_that_differ_say_so(make_run: Any) -> None:
    found = compare([make_run({100: [1, 2], 200: [1, 2]})], [make_run({100: [1, 2]})]).differences
    assert found == ["qwen3_vllm, compact: n '100,200' against '100'"]


def test_the_tables_show_old_new_and_change(make_run: Any) -> None:
    old = make_run({100: [239.2, 239.2], 200: [480.2, 480.2]}, tag="before")
    new = make_run({100: [178.5, 178.5], 200: [351.7, 351.7]}, tag="auto attention")
    first, _, second = comparison_report.markdown(compare([old], [new])).partition("Each cell")
    rows = [re.sub(r" +", " ", line) for line in first.splitlines()]
    assert rows[2:7] == [
        "| backend | instruction_format | run | n=100 | n=200 |",
        rows[3],
        "| qwen3_vllm | compact | old (before) | 239.2 | 480.2 |",
        "| qwen3_vllm | compact | new (auto attention) | 178.5 | 351.7 |",
        "| | | change | -25.4 % | -26.8 % |",
    ]
    assert "| -25.4 % | 0.746 to 0.746 | faster" in re.sub(r" +", " ", second)


def test_run_whose_requests_the_server_had_in_its_cache_is_told(make_run: Any) -> None:
    cold = make_run({100: [400, 401]}, counters=Counters(prefix_cache_queries=1000, prefix_cache_hits=400))
    warm = make_run({100: [140, 141]}, counters=Counters(prefix_cache_queries=1000, prefix_cache_hits=807))
    comparison = compare([cold], [warm])
    told = "40.0% of the old run's tokens came from the prefix cache, 80.7% of the new one's"
    assert f"* qwen3_vllm, compact: {told}" in comparison_report.markdown(comparison)
    assert told in html_report.page([warm], comparison).replace("&#x27;", "'")
    assert not comparison_report.caches(compare([cold], [cold]))


@pytest.fixture
def files(make_run: Any, tmp_path: Path) -> Any:
    def write(**runs: Any) -> list[str]:
        paths = []
        for name, run in runs.items():
            paths.append(str(tmp_path / f"{name}.json"))
            run.write(Path(paths[-1]))
        return paths

    return write


def test_the_command_compares_and_fails_as_told(make_run: Any, files: Any, capsys: Any) -> None:
    old, new = files(old=make_run({100: [100, 101]}), new=make_run({100: [120, 121]}))
    assert main(["compare", old, new]) == 0
    assert main(["compare", old, new, "--fail-if-slower", "5%"]) == 1
    assert "slower than allowed: qwen3_vllm, compact, n=100: +19.9 %" in capsys.readouterr().err
    assert main(["compare", old, new, "--fail-if-slower", "25"]) == 0
    assert main(["compare", new, old, "--fail-if-slower", "5%"]) == 0


def test_the_command_refuses_what_was_not_measured_alike(make_run: Any, files: Any, capsys: Any) -> None:
    old, new = files(old=make_run({100: [100, 101]}, gpu="T4"), new=make_run({100: [120, 121]}, gpu="L4"))
    assert main(["compare", old, new]) == 2
    assert "GPU 'T4' against 'L4'" in capsys.readouterr().err
    assert main(["compare", old, new, "--force"]) == 0
    assert "NOT MEASURED ALIKE: qwen3_vllm, compact: GPU 'T4' against 'L4'" in capsys.readouterr().out


def test_the_command_names_what_is_wrong(make_run: Any, files: Any, capsys: Any) -> None:
    (old,) = files(old=make_run({100: [100, 101]}))
    assert main(["compare", old, "/nowhere"]) == 2
    assert "can't read /nowhere" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["compare", old, old, "--confidence", "20"])
    assert "from 50% to below 100%" in capsys.readouterr().err
