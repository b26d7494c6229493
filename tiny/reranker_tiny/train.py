"""Trains the demonstration reranker on made-up products. Seeded; minutes on a CPU.

Four things get a model this small going: products grouped by query, with a loss on their order; a lesson of its own for
each layer (lessons.py), faded out towards the end; embeddings that may move for the words of the catalogue; and
attention that starts out comparing alike words (network.py).
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reranker_tiny import catalogue, dataset, model
from reranker_tiny.dataset import Encoder, Judged
from reranker_tiny.lessons import Lessons
from reranker_tiny.network import Network, collate
from reranker_tiny.vocabulary import LANGUAGES

SEED: Final = 20250601
STEPS: Final = 3000
GROUPS: Final = 6
LEARNING_RATE: Final = 3e-3
WARMUP_STEPS: Final = 100
WEIGHT_DECAY: Final = 0.01
# The share of steps over which the extra lessons fade out.
LESSONS_UNTIL: Final = 0.8
CROSS_LANGUAGE: Final = 0.1
OTHER_INSTRUCTION: Final = 0.15
VOCABULARY_SAMPLE: Final = 1500
REPORT_EVERY: Final = 100


def trained_rows(encoder: Encoder) -> list[int]:
    """The tokens whose embedding is trained: all that occur in prompts, but those of invented words.

    Leaving the latter at their seeded rows teaches the model to compare spellings of words it never learnt.
    """
    rng = random.Random(SEED)
    seen: set[int] = set()
    for instruction_format in dataset.FORMATS:
        seen.update(*encoder.prompts("T", ["T"], instruction_format))
    for index in range(VOCABULARY_SAMPLE):
        judged = dataset.draw(rng, LANGUAGES[index % 2], held_out=False)
        for text in (judged.query, *judged.documents):
            if not text.invented:
                seen.update(encoder.tokenizer.encode(f" {text.text}"))
    return sorted(seen - {encoder.tokenizer.yes_id, encoder.tokenizer.no_id})


def train(encoder: Encoder, *, steps: int = STEPS, seed: int = SEED, report: Callable[[str], None] = print) -> Network:
    """Train from scratch and return the network. Deterministic for one torch version, machine kind and thread count."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    network = Network(trained_rows(encoder), encoder.tokenizer.yes_id, encoder.tokenizer.no_id)
    lessons = Lessons()
    parameters = [*network.parameters(), *lessons.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() == 2], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.dim() != 2], "weight_decay": 0.0},
        ],
        lr=LEARNING_RATE,
        betas=(0.9, 0.98),
    )
    size = sum(parameter.numel() for parameter in network.parameters())
    report(f"{size:,} parameters, {len(network.row_ids)} embedding rows among them")
    started, running = time.monotonic(), np.zeros(5)
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * _schedule(step, steps)
        judged, encoded = _draw(encoder, rng, step)
        trace = network(collate(encoded))
        places = [encoder.places(*pair) for pair in zip(judged, encoded, strict=True)]
        losses = [*_ranking(trace.log_odds, judged), *lessons(trace, judged, places)]
        fade = max(0.0, 1 - step / (LESSONS_UNTIL * steps))
        loss = losses[0] + losses[1] + fade * (losses[2] + losses[3] + losses[4])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        running += [float(part.detach()) for part in losses]
        if step % REPORT_EVERY == 0:
            names = ("score", "rank", "meaning", "outcome", "summary")
            parts = [f"{name} {value:.3f}" for name, value in zip(names, running / REPORT_EVERY, strict=True)]
            report(f"step {step}/{steps}  {'  '.join(parts)}  {time.monotonic() - started:.0f} s")
            running[:] = 0
    return network


def metadata(seed: int, steps: int, seconds: float, cpu_seconds: float) -> dict[str, str]:
    """What the shipped files say about their training; times in seconds, on the wall and of the processor."""
    return {
        "seed": str(seed),
        "steps": str(steps),
        "seconds": f"{seconds:.0f}",
        "cpu_seconds": f"{cpu_seconds:.0f}",
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "embedding_seed": str(model.EMBEDDING_SEED),
    }


def save(network: Network, about: dict[str, str], folder: Path = model.WEIGHTS_FOLDER) -> None:
    """Write what is shipped of a trained network."""
    model.save_shipped(network.shipped(), about, folder)


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < WARMUP_STEPS:
        return step / WARMUP_STEPS
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS))))


def _draw(encoder: Encoder, rng: random.Random, step: int) -> tuple[list[Judged], list[dataset.Encoded]]:
    """One batch: groups in one format, half of each language, with now and then another instruction."""
    instruction_format = dataset.FORMATS[step % 2]
    judged, encoded = [], []
    for index in range(GROUPS):
        language = LANGUAGES[index % 2]
        shop = LANGUAGES[1 - index % 2] if rng.random() < CROSS_LANGUAGE else language
        group = dataset.draw(rng, language, held_out=False, document_language=shop)
        instruction = rng.choice(dataset.OTHER_INSTRUCTIONS) if rng.random() < OTHER_INSTRUCTION else None
        judged.append(group)
        encoded.append(encoder.encode(group, instruction_format, instruction))
    return judged, encoded


def _ranking(log_odds: Tensor, judged: list[Judged]) -> tuple[Tensor, Tensor]:
    """The loss of the scores themselves, and of their order within each group; means."""
    levels = torch.tensor([group.levels for group in judged])
    score = functional.binary_cross_entropy_with_logits(log_odds, torch.tensor(catalogue.LEVEL_TARGETS)[levels])
    better = levels[:, :, None] > levels[:, None, :]
    return score, functional.softplus(log_odds[:, None, :] - log_odds[:, :, None])[better].mean()
