"""What is sent to a GPU: the part's arrays unchanged, zeros in the room of a larger shape, every section aligned."""

import numpy as np
import pytest
import torch

from reranker_service.engines.packed import upload
from reranker_service.engines.packed.plan import last_tiles, plan, token_tiles

from .conftest import draw_requests


@pytest.mark.parametrize("seed", range(8))
def test_an_upload_holds_the_part_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (part,) = plan(draw_requests(rng, requests=2, documents=int(rng.integers(1, 20))), 100_000)
    tiles, ends = token_tiles(part, 32), last_tiles(part)
    more = rng.integers(0, 9, 4).tolist()
    sizes = len(part.ids), len(part.last), len(tiles), len(ends)
    shape = upload.Shape(*(size + extra for size, extra in zip(sizes, more, strict=True)))
    assert shape.holds(upload.Shape(*sizes))
    buffer = torch.full((shape.total,), -7, dtype=torch.int32)
    upload.fill(buffer.numpy(), shape, part, tiles, ends)
    sent = upload.views(buffer, shape)
    wanted = (part.ids, part.positions, part.last, tiles, ends)
    for name, array in zip(upload.Inputs.__slots__, wanted, strict=True):
        section = getattr(sent, name)
        assert np.array_equal(section[: len(array)].numpy(), array)
        assert not section[len(array) :].any()
        assert section.is_contiguous()
        assert (section.data_ptr() - buffer.data_ptr()) % 16 == 0


def test_a_smaller_shape_does_not_hold_a_larger_part() -> None:
    large = upload.Shape(100, 10, 5, 2)
    for change in ((99, 10, 5, 2), (100, 9, 5, 2), (100, 10, 4, 2), (100, 10, 5, 1)):
        assert not upload.Shape(*change).holds(large)
