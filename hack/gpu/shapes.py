"""Random requests through the packed forward pass, against the plain path in float32 on a CPU.

Usage: python3 -m hack.gpu.shapes truth FILE [requests] [processes], on any machine: the plain path waits for its
launches, so that a GPU computes it no faster than a CPU, and a few minutes of it would be spent on that. Then
python3 -m hack.gpu.shapes compare FILE [seconds] where the GPU is.
"""

import dataclasses
import hashlib
import itertools
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hack.gpu import common
from hack.gpu.common import say
from hack.gpu.scoring import plain, run
from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.gpu import GpuModel
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.engines.packed.weights import ModelWeights
from reranker_service.scoring.prompt_arrays import Prompts

# 1, 2, 4 and 5 query heads a key head; heads of 64 and 128.
SHAPES = (
    ModelConfig(256, 512, 3, 4, 2, 128, 1e-6, 1e6, 4096, tied=True, dtype="bfloat16"),
    ModelConfig(256, 768, 3, 8, 2, 128, 1e-6, 1e6, 4096, tied=True, dtype="bfloat16"),
    ModelConfig(320, 512, 3, 5, 1, 64, 1e-6, 1e4, 4096, tied=True, dtype="bfloat16"),
    ModelConfig(256, 512, 3, 2, 2, 64, 1e-6, 1e4, 4096, tied=True, dtype="bfloat16"),
)
DTYPES = ("float32", "bfloat16", "float16")
ROUGH = "plain bfloat16"
VOCABULARY = 12000
SEED = 2025
# Of so many batches of a shape, one is computed in bfloat16 by the plain path, too: what that dtype costs by itself.
ROUGH_EVERY = 8
TOLERANCE = 1e-4
# How much further from float32 than the plain path in bfloat16 the kernels may be in 16 bits.
ROUGHER = 1.5

Scores = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Some requests that are submitted together. number: which of all; it names the shape, too."""

    number: int
    prompts: list[Prompts]
    budget: int

    @property
    def shape(self) -> int:
        """Which of SHAPES computes it."""
        return self.number % len(SHAPES)

    @property
    def rough(self) -> bool:
        """Whether the plain path computes it in bfloat16 as well."""
        return self.number // len(SHAPES) % ROUGH_EVERY == 0


def draw(number: int) -> Batch:
    """Up to five requests of 1 to 1,000 documents, with documents of 1 to many tokens, now and then a long one."""
    rng = np.random.default_rng([SEED, number])
    start = rng.integers(0, 500, rng.integers(0, 40))
    batch = []
    longest = int(rng.choice([1, 8, 40, 150]))
    for _ in range(int(rng.choice([1, 1, 2, 5]))):
        head = np.concatenate([start, rng.integers(0, 500, rng.integers(0, 60))])
        count = int(rng.choice([1, 10, 100, 300, 1000], p=[0.25, 0.3, 0.25, 0.15, 0.05]))
        batch.append(_documents(rng, head, rng.integers(1, longest + 1, count)))
    if rng.random() < 0.3:
        batch.append(_documents(rng, start, rng.integers(500, 3000, 1)))
    return Batch(number, batch, int(rng.choice([3000, 8192])))


def _documents(rng: np.random.Generator, head: NDArray[np.int64], lengths: NDArray[np.int64]) -> Prompts:
    bodies = rng.integers(0, 500, lengths.sum())
    return Prompts(head.astype(np.int32), bodies.astype(np.int32), lengths.astype(np.int32))


def drawn(requests: int) -> list[int]:
    """The number of requests in each of as many batches as hold `requests`."""
    sizes: list[int] = []
    while sum(sizes) < requests:
        sizes.append(len(draw(len(sizes)).prompts))
    return sizes


def weights_of(shape: int) -> ModelWeights:
    """Drawn on the CPU, so that every machine has the same."""
    return common.random_weights(SHAPES[shape], torch.float32, seed=shape, vocabulary=VOCABULARY, device="cpu")


def digest() -> str:
    """Of all weights and of a few batches: results are only compared with what was computed from the same."""
    found = hashlib.sha256()
    for shape in range(len(SHAPES)):
        for layer in (weights := weights_of(shape)).layers:
            found.update(layer.down.numpy().tobytes())
        found.update(weights.embedding.numpy().tobytes())
    for number in range(8):
        for prompts in draw(number).prompts:
            found.update(prompts.bodies.tobytes())
    return found.hexdigest()


def truth_of(number: int) -> tuple[Scores, Scores | None]:
    """In a process of its own: one batch by the plain path in float32, and in bfloat16 where that is wanted."""
    torch.set_num_threads(1)
    batch = draw(number)
    exact, rough = _plain_models(batch.shape)
    low = plain(rough, batch.prompts).astype(np.float32) if batch.rough else None
    return plain(exact, batch.prompts).astype(np.float32), low


_known: dict[int, tuple[ReferenceModel, ReferenceModel]] = {}


def _plain_models(shape: int) -> tuple[ReferenceModel, ReferenceModel]:
    if shape not in _known:
        weights = weights_of(shape)
        low = common.copy_of(weights, torch.bfloat16)
        _known[shape] = ReferenceModel(SHAPES[shape], weights), ReferenceModel(SHAPES[shape], low)
    return _known[shape]


def write_truth(file: Path, requests: int, processes: int) -> None:
    """Compute and keep the plain path's log-odds, one array for all batches in order."""
    sizes = drawn(requests)
    exact: list[Scores] = []
    rough: list[Scores] = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, (scores, low) in enumerate(pool.imap(truth_of, range(len(sizes)), chunksize=4), 1):
            exact.append(scores)
            if low is not None:
                rough.append(low)
            if done % 50 == 0:
                say(f"{done} of {len(sizes)} batches")
    lengths = np.asarray([len(each) for each in exact])
    np.savez_compressed(
        file,
        digest=digest(),
        requests=np.asarray(sizes),
        lengths=lengths,
        exact=np.concatenate(exact),
        rough=np.concatenate(rough),
    )
    say(f"{sum(sizes)} requests in {len(sizes)} batches, {lengths.sum()} prompts: {file}")


def warm(item: tuple[int, str]) -> None:
    """In a process of its own: compile the kernels of one shape and dtype into Triton's cache."""
    shape, dtype = item
    run(packed_model(shape, dtype, graphs=False), draw(shape).prompts, 3000)


def packed_model(shape: int, dtype: str, *, graphs: bool) -> GpuModel:
    """The kernels of one shape; what is not float32 has graphs for some sizes."""
    weights = common.copy_of(weights_of(shape), getattr(torch, dtype), "cuda")
    chosen = common.chosen(dtype, SHAPES[shape].group)
    model = GpuModel(SHAPES[shape], weights, chosen, max_tokens=8192, max_positions=4096)
    for tokens in (256, 1024, 2048, 3072) if graphs and dtype != "float32" else ():
        model.capture(tokens)
    return model


def compare(file: Path, seconds: float) -> bool:
    """Run every batch in three dtypes and print the differences; whether all were run and none matters."""
    truth = np.load(file)
    if str(truth["digest"]) != digest():
        raise SystemExit(f"{file}: from other weights or requests than this machine draws; write it anew")
    with multiprocessing.get_context("spawn").Pool(12) as pool:
        pool.map(warm, list(itertools.product(range(len(SHAPES)), DTYPES)), chunksize=1)
    say("kernels compiled")
    models = {(shape, dtype): packed_model(shape, dtype, graphs=True) for shape in range(4) for dtype in DTYPES}
    every, rough, lengths = truth["exact"], truth["rough"], truth["lengths"]
    ends = np.cumsum(lengths)
    errors: dict[tuple[int, str], list[Scores]] = {}
    rough_at = done = 0
    deadline = time.monotonic() + seconds
    while done < len(ends) and time.monotonic() < deadline:
        batch = draw(done)
        exact = every[ends[done] - lengths[done] : ends[done]]
        for dtype in DTYPES:
            found = run(models[batch.shape, dtype], batch.prompts, batch.budget).astype(np.float32)
            errors.setdefault((batch.shape, dtype), []).append(found - exact)
        if batch.rough:
            errors.setdefault((batch.shape, ROUGH), []).append(rough[rough_at : rough_at + len(exact)] - exact)
            rough_at += len(exact)
        done += 1
    fine = report(errors, int(truth["requests"][:done].sum()), done)
    if done < len(ends):
        say(f"stopped after {seconds:.0f} s, {len(ends) - done} batches are left")
    return fine and done == len(ends)


def report(errors: dict[tuple[int, str], list[Scores]], requests: int, batches: int) -> bool:
    """Print differences by dtype and by shape; whether none is missing, and they are small for their dtype."""
    say(f"{requests} random requests in {batches} batches, in turn with {len(SHAPES)} shapes; log-odds")
    fine = True
    rms: dict[str, float] = {}
    for dtype in (*DTYPES, ROUGH):
        by_shape = [np.abs(np.concatenate(errors[shape, dtype])) for shape in range(len(SHAPES))]
        every = np.concatenate(by_shape)
        fine = fine and bool(np.isfinite(every).all()) and (dtype != "float32" or every.max() < TOLERANCE)
        rms[dtype] = float(np.sqrt((every**2).mean()))
        worst = ", ".join(f"{each.max():.2e}" for each in by_shape)
        say(f"  {dtype:>14}: max {every.max():.2e}  rms {rms[dtype]:.2e} of {every.size} prompts; "
            f"max by shape {worst}")  # fmt: skip
    return fine and max(rms["bfloat16"], rms["float16"]) < ROUGHER * rms[ROUGH]


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_tf32 = False
    what, file, *numbers = sys.argv[1:]
    if what == "truth":
        requests, processes = [*map(int, numbers), *(2000, 2)[len(numbers) :]]
        write_truth(Path(file), requests, processes)
    else:
        sys.exit(0 if compare(Path(file), float(numbers[0]) if numbers else 240.0) else 1)
