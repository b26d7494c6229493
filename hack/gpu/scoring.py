"""The log-odds of a batch by the kernels and by the plain path, for the scripts that compare them."""

from collections.abc import Sequence

import numpy as np
import torch

from reranker_service.engines.packed.gpu import GpuModel
from reranker_service.engines.packed.plan import plan
from reranker_service.engines.packed.reference import ReferenceModel
from reranker_service.scoring.prompt_arrays import Prompts


def run(model: GpuModel, batch: Sequence[Prompts], budget: int) -> np.ndarray:
    """By the kernels, in parts of `budget` tokens."""
    for buffer in model._buffers.values():  # noqa: SLF001 - what nothing writes must not be read
        buffer.fill_(float("nan"))
    scores = np.full(sum(map(len, batch)), np.nan)
    results = []
    for part in plan(batch, budget):
        results.append((part.prompts, torch.empty(len(part.last), pin_memory=True)))
        model.submit(part, results[-1][1])
    torch.cuda.synchronize()
    for places, values in results:
        scores[places] = values.numpy()
    return scores


def plain(model: ReferenceModel, batch: Sequence[Prompts]) -> np.ndarray:
    """By the plain path."""
    scores = np.full(sum(map(len, batch)), np.nan)
    for part in plan(batch, 8192):
        scores[part.prompts] = model.forward(part).float().cpu().numpy()
    return scores
