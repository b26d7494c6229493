"""fp8: scales that never let anything overflow, no error but that of rounding, and how large that is."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.service.texts import QUERY, documents
from torch import Tensor

from reranker_service.engines.packed.config import UnsupportedModelError, read_config
from reranker_service.engines.packed.fp8 import FP8, LARGEST, Fp8Layer, Matrix, quantise, quantise_layer
from reranker_service.engines.packed.fp8_reference import Fp8Reference
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import ModelWeights, load_weights
from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.scoring.prompts import InstructionFormat, PromptBuilder, PromptTokenizer
from reranker_service.settings import DEFAULT_INSTRUCTION

from .conftest import NO, YES, Model, draw_requests, lists, score

SHAPES = [
    {"heads": 4, "kv_heads": 2, "tied": True},
    {"heads": 6, "kv_heads": 1, "head_dim": 32, "tied": False},
    {"heads": 4, "kv_heads": 4, "hidden_size": 64, "num_hidden_layers": 1},
]


def weights_of(folder: Path, dtype: torch.dtype = torch.float32, ids: tuple[int, int] = (YES, NO)) -> ModelWeights:
    return load_weights(folder, read_config(folder), yes_id=ids[0], no_id=ids[1], device="cpu", dtype=dtype)


def rounded(folder: Path, weights: ModelWeights, kind: torch.dtype = FP8) -> Fp8Reference:
    config = read_config(folder)
    return Fp8Reference(config, quantise(config, weights, kind), weights)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_without_rounding_it_is_the_plain_path(make_model: Callable[..., Model], shape: dict[str, int]) -> None:
    model = make_model(**shape)
    prompts = draw_requests(np.random.default_rng(0), requests=3, documents=9)
    unrounded = rounded(model.folder, weights_of(model.folder), torch.float32)
    assert np.abs(score(unrounded, prompts) - model.log_odds(lists(prompts))).max() < 1e-4


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rounding_costs_a_small_part_of_what_tells_documents_apart(
    make_model: Callable[..., Model], shape: dict[str, int]
) -> None:
    model = make_model(**shape)
    prompts = draw_requests(np.random.default_rng(1), requests=3, documents=40)
    exact = model.log_odds(lists(prompts))
    difference = score(rounded(model.folder, weights_of(model.folder)), prompts) - exact
    layers = model.transformers.config.num_hidden_layers
    assert (np.abs(difference).max() > 1e-3) == (layers > 1)  # the last layer is never rounded
    assert np.sqrt((difference**2).mean()) < 0.2 * exact.std()


class Recorder(Fp8Reference):
    """Keeps the largest input that any product had, before rounding."""

    largest = 0.0

    def _product(self, inputs: Tensor, matrix: Matrix) -> Tensor:
        self.largest = max(self.largest, float(inputs.abs().max()))
        return super()._product(inputs, matrix)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_overflows_whatever_the_weights(tied_model: Model, seed: int) -> None:
    """Weights of all sizes, states with one channel that dwarfs the others, rows that look for just that channel."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    weights = weights_of(tied_model.folder)
    for layer in weights.layers:
        channel = int(torch.randint(48, (), generator=generator))
        for name in ("qkv", "gate_up"):
            matrix = getattr(layer, name)
            matrix *= torch.exp(2 * draw(len(matrix), 1))
            matrix[::3] = 0
            matrix[::3, channel] = 3 * draw(len(matrix[::3]))
        layer.down[channel] *= 1000
        layer.input_norm *= torch.exp(2 * draw(48))
        layer.post_norm *= torch.exp(2 * draw(48))
    weights.embedding *= torch.exp(3 * draw(48))
    config = read_config(tied_model.folder)
    model = Recorder(config, quantise(config, weights), weights)
    scores = score(model, draw_requests(np.random.default_rng(seed), requests=2, documents=20))
    assert np.isfinite(scores).all()
    assert LARGEST / 100 < model.largest <= LARGEST * (1 + 1e-6)


def test_all_layers_but_the_last_take_one_byte_a_weight(tied_model: Model) -> None:
    weights = weights_of(tied_model.folder, torch.bfloat16)
    before = list(weights.layers)
    quantised = quantise(read_config(tied_model.folder), weights)
    assert weights.layers == before[-1:]
    assert len(quantised) == len(before) - 1
    for layer, plain in zip(quantised, before, strict=False):
        for name in ("qkv", "output", "gate_up", "down"):
            matrix = getattr(layer, name)
            assert matrix.values.shape == getattr(plain, name).shape
            assert matrix.values.element_size() == 1
            assert torch.equal(matrix.values.float().abs().amax(1), torch.full((len(matrix.values),), LARGEST))


def test_layers_may_be_quantised_as_they_are_read(tied_model: Model) -> None:
    config = read_config(tied_model.folder)
    together = weights_of(tied_model.folder)
    quantised = quantise(config, together)
    taken: list[Fp8Layer] = []
    rest = load_weights(
        tied_model.folder, config, yes_id=YES, no_id=NO, device="cpu", dtype=torch.float32,
        take=lambda layer: taken.append(quantise_layer(config, layer)),
    )  # fmt: skip
    assert torch.equal(rest.layers[0].qkv, together.layers[0].qkv)
    assert (len(taken), len(rest.layers)) == (len(quantised), 1)
    for one, other in zip(taken, quantised, strict=True):
        assert torch.equal(one.down.values.float(), other.down.values.float())


def test_sizes_that_the_library_does_not_multiply_are_refused(tied_model: Model) -> None:
    config = dataclasses.replace(read_config(tied_model.folder), hidden=40, intermediate=88)
    with pytest.raises(UnsupportedModelError, match="multiples of 16, but hidden_size is 40, intermediate_size is 88"):
        quantise(config, weights_of(tied_model.folder))


FORMATS: list[InstructionFormat] = ["compact", "standard"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_trained_model_ranks_its_golden_set_as_before(tiny_model: Path, fmt: InstructionFormat) -> None:
    tokenizer = PromptTokenizer(tiny_model / "tokenizer.json")
    builder = PromptBuilder(tokenizer, instruction_format=fmt, instruction=DEFAULT_INSTRUCTION, max_tokens=159)
    cases = json.loads((tiny_model / "golden.json").read_text(encoding="utf-8"))["cases"]
    pairs = [(QUERY, documents(200)), *((case["query"], case["documents"]) for case in cases)]
    batch = [Prompts.from_lists([prompt.token_ids for prompt in builder.build(query, texts)]) for query, texts in pairs]
    ids = tokenizer.yes_id, tokenizer.no_id
    torch.set_num_threads(1)
    config = read_config(tiny_model)
    exact = score(ReferenceModel(config, weights_of(tiny_model, ids=ids)), batch)
    rough = score(rounded(tiny_model, weights_of(tiny_model, torch.bfloat16, ids)), batch)
    drift = np.abs(rough - exact)
    for name, part in (("corpus", slice(200)), ("golden set", slice(200, None))):
        print(f"{fmt}, {name}: rms {np.sqrt((drift[part] ** 2).mean()):.4f}, largest {drift[part].max():.4f}, "
              f"spread of float32 {exact[part].std():.2f}")  # fmt: skip
    assert np.sqrt((drift**2).mean()) < 0.15
    place = 200
    for case in cases:
        scores = rough[place : place + len(case["documents"])]
        place += len(scores)
        assert all(scores[better] - scores[worse] > margin for better, worse, margin in case["ordered"])
