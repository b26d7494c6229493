"""The packed layout read back: every prompt can be rebuilt from it, and every tile shows a row just what it may see."""

import numpy as np
import pytest

from reranker_service.engines.packed.plan import Part, last_tiles, plan, token_tiles
from reranker_service.scoring.prompt_arrays import Prompts

from .conftest import lists, request


def draw(seed: int) -> list[Prompts]:
    rng = np.random.default_rng(seed)
    batch = []
    for _ in range(rng.integers(1, 4)):
        head = rng.integers(0, 50, rng.integers(0, 60)).tolist()
        bodies = [rng.integers(0, 50, rng.integers(1, 30)).tolist() for _ in range(rng.integers(1, 60))]
        batch.append(request(head, bodies))
    return batch


def rebuilt(part: Part, document: int) -> list[int]:
    """A document's prompt, from the arrays that the device gets."""
    last = int(part.last[document])
    segment = next(s for s in part.segments if s.documents <= last < s.end)
    own = part.ids[part.own[last] : last + 1]
    return [*part.ids[segment.start : segment.documents].tolist(), *own.tolist()]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("budget", [1, 97, 400, 100_000])
def test_parts_hold_every_prompt_once_within_the_budget(seed: int, budget: int) -> None:
    batch = draw(seed)
    prompts = lists(batch)
    parts = plan(batch, budget)
    seen = []
    for part in parts:
        assert len(part.ids) <= budget or len(part.last) == 1
        for document, prompt in enumerate(part.prompts.tolist()):
            assert rebuilt(part, document) == prompts[prompt]
        seen += part.prompts.tolist()
    assert sorted(seen) == list(range(len(prompts)))


def test_a_head_is_computed_once_a_part() -> None:
    rng = np.random.default_rng(1)
    batch = [request(list(range(50)), [rng.integers(100, 200, 28).tolist() for _ in range(1000)]) for _ in range(2)]
    (part,) = plan(batch, 100_000)
    assert len(part.ids) == 2 * (50 + 28_000)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        plan([request([1, 2], [[3], []])], 100)


def test_nothing_makes_no_parts() -> None:
    assert plan([], 100) == []
    assert plan([request([1], [])], 100) == []


@pytest.mark.parametrize("seed", range(12))
def test_positions_go_on_behind_the_prefix(seed: int) -> None:
    for part in plan(draw(seed), 300):
        for segment in part.segments:
            prefix = segment.documents - segment.start
            assert part.positions[segment.start : segment.documents].tolist() == list(range(prefix))
            tokens = np.arange(segment.documents, segment.end)
            assert np.array_equal(part.positions[tokens], tokens - part.own[tokens] + prefix)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("block", [4, 16, 64])
def test_tiles_show_each_token_its_prefix_and_its_own_text(seed: int, block: int) -> None:
    for part in plan(draw(seed), 500):
        visible = np.zeros((len(part.ids), len(part.ids)), dtype=bool)
        for row, rows, prefix_start, prefix, key, key_end in token_tiles(part, block).tolist():
            assert 1 <= rows <= block
            visible[row : row + rows, prefix_start : prefix_start + prefix] = True
            for token in range(row, row + rows):
                assert key == part.own[token]
                assert token < key_end <= row + rows
                assert not visible[token, part.own[token] : token + 1].any()
                visible[token, part.own[token] : token + 1] = True
            assert (row - key) % block == 0
        assert np.array_equal(visible, expected(part))


@pytest.mark.parametrize("seed", range(6))
def test_last_tiles_cover_each_document_once(seed: int) -> None:
    for part in plan(draw(seed), 500):
        rows = []
        for row, count, prefix_start, prefix, key, key_end in last_tiles(part).tolist():
            last = int(part.last[row])
            segment = next(s for s in part.segments if s.documents <= last < s.end)
            assert (prefix_start, prefix) == (segment.start, segment.documents - segment.start)
            assert (count, key, key_end) == (1, part.own[last], last + 1)
            rows.append(row)
        assert rows == list(range(len(part.last)))


@pytest.mark.parametrize("seed", range(6))
def test_runs_name_equally_long_neighbours(seed: int) -> None:
    for part in plan(draw(seed), 500):
        for segment in part.segments:
            ends = []
            place = segment.documents
            for count, length in segment.runs:
                ends += range(place + length - 1, place + count * length, length)
                place += count * length
            assert place == segment.end
            assert ends == part.last[segment.first : segment.first + segment.count].tolist()


def expected(part: Part) -> np.ndarray:
    visible = np.zeros((len(part.ids), len(part.ids)), dtype=bool)
    for segment in part.segments:
        prefix = range(segment.start, segment.documents)
        for token in prefix:
            visible[token, segment.start : token + 1] = True
        for token in range(segment.documents, segment.end):
            visible[token, segment.start : segment.documents] = True
            visible[token, part.own[token] : token + 1] = True
    return visible
