"""Scores prompts with a real engine, for a test that runs it in a process of its own.

`python -m tests.service.score_prompts BACKEND MODEL`: reads a JSON list of prompts (lists of token ids) from standard
input and writes a JSON object: `log_odds`; `alone`, the first ten prompts scored one by one; `steps`, how many signs of
life the engine gave; `overlapped`, all scored again, every submission begun before the first was collected, and one
that fails among them; `load_s`, `score_s`, `rss_mib`; `too_long`, the error of a prompt that can't fit, and `after`,
the first prompt's log-odds once more after it.
"""

import contextlib
import json
import os
import resource
import sys
import time
from typing import Any

from reranker_service.checkpoint import resolve
from reranker_service.engines import create_engine
from reranker_service.engines.protocol import Engine, EngineError
from reranker_service.engines.vllm_env import prepare_environment
from reranker_service.logs import configure_logging
from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.settings import Settings

BATCH = 100


def main(backend: str, model: str) -> None:
    configure_logging("info")
    prompts: list[list[int]] = json.load(sys.stdin)
    settings = Settings(backend=backend, model_name=model, infer_batch_size=BATCH)  # type: ignore[arg-type]
    prepare_environment(cpu=True, local_model=True, eager=True, environ=os.environ)
    engine = create_engine(settings)
    steps = 0

    def on_step() -> None:
        nonlocal steps
        steps += 1

    started = time.monotonic()
    engine.load(resolve(model, None), on_step)
    result: dict[str, Any] = {"load_s": time.monotonic() - started}
    engine.score([prompts[0]])
    started = time.monotonic()
    result["log_odds"] = [
        score for start in range(0, len(prompts), BATCH) for score in engine.score(prompts[start : start + BATCH])
    ]
    result["score_s"] = time.monotonic() - started
    result["alone"] = [engine.score([prompt])[0] for prompt in prompts[:10]]
    result["steps"] = steps
    result["overlapped"] = overlapped(engine, prompts, settings.max_model_len)
    try:
        engine.score([prompts[1], [1] * (settings.max_model_len + 1)])
    except EngineError as error:
        result["too_long"] = str(error)
    result["after"] = engine.score([prompts[0]])[0]
    result["health"] = engine.health()
    result["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    engine.close()
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(result))


def overlapped(engine: Engine, prompts: list[list[int]], longest: int) -> list[float]:
    """The log-odds from submissions that are all under way at once."""
    begun = []
    for start in range(0, len(prompts), BATCH):
        begun.append(engine.submit([Prompts.from_lists(prompts[start : start + BATCH])]))
        if start == 0:
            with contextlib.suppress(EngineError):
                engine.submit([Prompts.from_lists([[1], [1] * (longest + 1)])])
    return [value for collect in begun for value in collect().log_odds.tolist()]


if __name__ == "__main__":
    main(*sys.argv[1:])
