"""vLLM's `LLM.generate` in process on the ids of the service's prompts: what `qwen3_vllm` is measured against.

Usage: python3 -m hack.gpu.generate. Environment: as `servers` reads it.
"""

import time

import vllm

from hack.gpu.clients import QUERY, Titles, summary
from hack.gpu.servers import CHECKPOINT, COUNTS, FORMS, INSTRUCTION, REPEAT, WARM, say
from hack.gpu.turns import turn
from reranker_service.scoring.prompts import InstructionFormat, PromptBuilder
from reranker_service.scoring.tokenizer import PromptTokenizer


def main() -> None:
    tokenizer = PromptTokenizer(CHECKPOINT / "tokenizer.json")
    engine = vllm.LLM(
        model=str(CHECKPOINT), max_model_len=160, enable_prefix_caching=True, gpu_memory_utilization=0.12,
        max_num_batched_tokens=8192, disable_log_stats=True, skip_tokenizer_init=True, runner="generate",
        kv_cache_memory_bytes=4 << 30,
    )  # fmt: skip
    params = vllm.SamplingParams(
        temperature=0.0, max_tokens=1, detokenize=False, logprob_token_ids=[tokenizer.yes_id, tokenizer.no_id]
    )
    say("LLM.generate loaded")
    with turn():
        measure(engine, tokenizer, params)


def measure(engine: vllm.LLM, tokenizer: PromptTokenizer, params: vllm.SamplingParams) -> None:
    titles = Titles()
    titles.place = 100_000
    forms: list[InstructionFormat] = ["compact", "standard"]
    for form in (form for form in forms if form in FORMS):
        build = PromptBuilder(tokenizer, instruction_format=form, instruction=INSTRUCTION, max_tokens=159).build
        for count in COUNTS:
            times = []
            for _ in range(WARM + REPEAT):
                prompts = [{"prompt_token_ids": each.token_ids} for each in build(QUERY, titles.take(count))]
                begin = time.perf_counter()
                engine.generate(prompts, sampling_params=params, use_tqdm=False)
                times.append((time.perf_counter() - begin) * 1000)
            say(f"LLM.generate {form:>8} n={count:4}: {summary(times[WARM:])}")


if __name__ == "__main__":
    main()
