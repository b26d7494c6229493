"""Prompts as arrays give back the ids that went in, whatever is cut out, reordered or put together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reranker_service.scoring.prompt_arrays import Prompts

IDS = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(st.lists(IDS, max_size=8))
def test_whole_prompts_come_back(prompts: list[list[int]]) -> None:
    made = Prompts.from_lists(prompts)
    assert made.lists() == prompts
    assert made.tokens == sum(map(len, prompts))
    assert made.longest == max(map(len, prompts), default=0)
    assert made.lengths.all()  # an id of its own for each


@given(st.lists(IDS, min_size=2, max_size=8))
def test_the_head_is_all_that_the_prompts_share_but_one_id(prompts: list[list[int]]) -> None:
    head = len(Prompts.from_lists(prompts).head)
    longer = {tuple(prompt[: head + 1]) for prompt in prompts}
    assert len({tuple(prompt[:head]) for prompt in prompts}) == 1
    assert len(longer) > 1 or min(map(len, prompts)) == head + 1


@given(st.lists(IDS, min_size=1, max_size=8), st.data())
def test_any_slice_in_any_order_holds_its_prompts(prompts: list[list[int]], data: st.DataObject) -> None:
    made = Prompts.from_lists(prompts)
    start = data.draw(st.integers(0, len(prompts)))
    stop = data.draw(st.integers(start, len(prompts)))
    some = made.slice(start, stop)
    assert some.lists() == prompts[start:stop]
    order = data.draw(st.permutations(range(stop - start)))
    assert some.take(np.asarray(order, np.int64)).lists() == [prompts[start + place] for place in order]


@pytest.mark.parametrize("bad", [[[1], []], [[]]])
def test_an_empty_prompt_is_refused(bad: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="empty"):
        Prompts.from_lists(bad)


def test_an_id_that_is_no_integer_of_32_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bits"):
        Prompts.from_lists([[1 << 31]])
