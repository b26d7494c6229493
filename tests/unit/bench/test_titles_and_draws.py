"""What the requests carry: the same for everyone with the same seed, and never the same text twice in a run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from reranker_bench.draws import Draws
from reranker_bench.titles import BUILT_IN_COUNT, TitlesError, generate, read


def test_the_built_in_titles_are_18000_distinct_ones() -> None:
    titles = generate()
    assert len(titles.texts) == len(set(titles.texts)) == BUILT_IN_COUNT == 18_000
    assert all(text == text.strip() and "\n" not in text for text in titles.texts)


def test_the_built_in_titles_never_change() -> None:
    # Figures measured with other titles can't be compared: a change here must be meant, and said in the changelog.
    assert generate().sha256 == "44504a9f0fd1078654f7b6d7cba37f67d901f427d9aab4dcb5115071b01a2591"


def test_three_quarters_of_the_titles_are_chinese() -> None:
    texts = generate().texts
    chinese = sum(any("一" <= character <= "鿿" for character in text) for text in texts)
    assert 0.73 < chinese / len(texts) < 0.77


def test_another_seed_gives_other_titles_and_the_same_seed_the_same() -> None:
    assert generate(500, seed=2).texts == generate(500, seed=2).texts
    assert generate(500, seed=2).texts != generate(500, seed=3).texts


def test_fewer_titles_are_the_beginning_of_more() -> None:
    assert generate(1000).texts[:100] == generate(100).texts


@pytest.mark.parametrize("count", [0, 200_001])
def test_counts_that_cannot_be_made_are_refused(count: int) -> None:
    with pytest.raises(TitlesError, match="200000"):
        generate(count)


def test_a_file_is_read_without_blank_lines_repeats_and_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "titles.txt"
    file.write_bytes("\ufeff白色T恤\r\n\r\n  Red shoes \n白色T恤\nform\x0cfeed\u2028inside\n".encode())
    titles = read(file)
    assert titles.texts == ("白色T恤", "Red shoes", "form\x0cfeed\u2028inside")
    assert titles.repeated == 1
    assert titles.source == str(file)
    assert titles.sha256 == hashlib.sha256("\n".join(titles.texts).encode()).hexdigest()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"\xff\xfeA", "not UTF-8.*byte 0"), (b"\n \n", "no title"), (None, "can't read")],
)
def test_a_file_without_titles_is_refused_by_name(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    file = tmp_path / "titles.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TitlesError, match=f"titles.txt.*{complaint}|{complaint}.*titles.txt"):
        read(file)


def sweep(draws: Draws) -> list[list[str]]:
    """The draws of the whole method: 3 warm-ups of 400, then 5 requests of each of its six sizes."""
    warmup = [draws.draw(400, f"warm-up {number}") for number in (1, 2, 3)]
    return warmup + [draws.draw(n, repeat) for n in (100, 200, 400, 600, 800, 1000) for repeat in range(1, 6)]


def test_no_title_comes_twice_in_the_whole_sweep() -> None:
    draws = Draws(generate().texts, seed=99)
    sent = [title for request in sweep(draws) for title in request]
    assert len(sent) == len(set(sent)) == 16_700
    assert draws.reused == 0


@pytest.mark.parametrize("seed", [99, 42])
def test_equal_seeds_give_equal_requests(seed: int) -> None:
    titles = generate(17_000).texts
    assert sweep(Draws(titles, seed)) == sweep(Draws(titles, seed))


def test_seed_size_and_repeat_each_change_the_draw() -> None:
    titles = generate(1000).texts
    first = Draws(titles, 99).draw(10, 1)
    assert Draws(titles, 42).draw(10, 1) != first
    assert Draws(titles, 99).draw(10, 2) != first
    assert Draws(titles, 99).draw(11, 1)[:10] != first


def test_a_draw_takes_from_all_over_the_file() -> None:
    titles = [str(number) for number in range(1000)]
    drawn = sorted(int(title) for title in Draws(titles, 99).draw(200, 1))
    in_each_tenth = [sum(tenth * 100 <= number < (tenth + 1) * 100 for number in drawn) for tenth in range(10)]
    assert min(in_each_tenth) >= 8


def test_when_the_titles_run_out_they_start_over_and_that_is_counted() -> None:
    draws = Draws([str(number) for number in range(10)], seed=1)
    requests = [draws.draw(4, repeat) for repeat in range(1, 4)]
    assert len(set(requests[0] + requests[1])) == 8
    assert len(set(requests[2])) == 4
    assert draws.reused == 4


def test_a_request_larger_than_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"11 documents.*10"):
        Draws([str(number) for number in range(10)], seed=1).draw(11, 1)
