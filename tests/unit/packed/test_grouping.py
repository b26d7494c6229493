"""Groups: every prompt in exactly one, the shared ids found, and never more ids than without grouping."""

import numpy as np
import pytest

from reranker_service.engines.packed.grouping import find_groups


def tokens(prompts: list[list[int]]) -> int:
    return sum(
        g.prefix_length + sum(len(prompts[i]) - g.prefix_length for i in g.members) for g in find_groups(prompts)
    )


def test_one_request_shares_its_head() -> None:
    head = list(range(40))
    prompts = [[*head, 100 + n, 5, 6] for n in range(20)]
    (group,) = find_groups(prompts)
    assert group.prefix_length == 40
    assert sorted(group.members) == list(range(20))


def test_a_single_prompt_has_no_prefix() -> None:
    (group,) = find_groups([[1, 2, 3]])
    assert (group.prefix_length, group.members) == (0, [0])


def test_equal_prompts_keep_one_id_each() -> None:
    (group,) = find_groups([[1, 2, 3]] * 5)
    assert (group.prefix_length, group.members) == (2, [0, 1, 2, 3, 4])


def test_a_prompt_that_is_the_start_of_another_keeps_one_id() -> None:
    (group,) = find_groups([[1, 2], [1, 2, 3, 4]])
    assert group.prefix_length == 1


def test_merged_requests_get_their_own_heads_in_any_order() -> None:
    rng = np.random.default_rng(0)
    start = list(range(30))
    heads = [[*start, *(1000 + 100 * r + n for n in range(20))] for r in range(3)]
    prompts = [[*heads[n % 3], 5000 + n, 9, 9, 9] for n in range(90)]
    order = rng.permutation(90)
    groups = find_groups([prompts[n] for n in order])
    assert sorted(g.prefix_length for g in groups) == [50, 50, 50]
    for group in groups:
        assert len({int(order[i]) % 3 for i in group.members}) == 1


def test_a_small_request_among_large_ones_is_not_lost() -> None:
    start = list(range(30))
    large = [[*start, 100, *range(200, 220), 900 + n, 1, 2] for n in range(50)]
    small = [[*start, 101, *range(300, 320), 990 + n, 1, 2] for n in range(2)]
    prompts = large + small
    groups = find_groups(prompts)
    assert sorted(i for g in groups for i in g.members) == list(range(52))
    assert max(g.prefix_length for g in groups if 0 in g.members) == 51


@pytest.mark.parametrize("seed", range(20))
def test_random_trees_keep_every_prompt_once_and_save_ids(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prompts = [rng.integers(0, 3, rng.integers(1, 40)).tolist() for _ in range(rng.integers(1, 200))]
    groups = find_groups(prompts)
    assert sorted(i for g in groups for i in g.members) == list(range(len(prompts)))
    for group in groups:
        heads = {tuple(prompts[i][: group.prefix_length]) for i in group.members}
        assert len(heads) == 1
        assert all(len(prompts[i]) > group.prefix_length for i in group.members)
    assert tokens(prompts) <= sum(map(len, prompts))


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        find_groups([[1], []])


def test_no_prompts_make_no_groups() -> None:
    assert find_groups([]) == []
