"""What both vLLM engines share, and the one place that knows how vLLM 0.18 to 0.32 differ.

vLLM's `LLM` loads the model; prompts go to the engine below it one by one, as `LLM.generate` does it, but without
waiting for the last submission's answers first. On a GPU that engine computes in a process of its own, which is slowed
down most by having nothing to do: `LLM.generate` and `LLM.classify` return when all is done, so that it idles while
the answers are read and the next prompts are given to it. It is not thread-safe; see the engine protocol.
"""

import dataclasses
import itertools
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reranker_service.engines.protocol import (
    Answers,
    Capacity,
    Checkpoint,
    Collect,
    EngineDead,
    EngineError,
    EngineLoadError,
)
from reranker_service.engines.vllm_env import computes_apart, is_cpu_build, vllm_version
from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.settings import Settings

log = logging.getLogger(__name__)

# A step on a CPU takes seconds per thousand tokens for a real model; short steps keep the sign of life honest.
CPU_BATCHED_TOKENS = 2048
GPU_BATCHED_TOKENS = 8192
CPU_BLOCK_SIZE = 32
# Enough for a request of a thousand documents in submissions of a hundred: on a GPU it takes 1.2 to 1.6 times as long
# with two submissions, because vLLM then computes many small steps.
SUBMISSIONS = 10


class VllmEngine(ABC):
    """Loading, scoring and closing; a subclass says how prompts become log-odds.

    `generated_tokens` is what a subclass needs of the model's length beside the prompt.
    """

    generated_tokens = 0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cpu = is_cpu_build()
        self._submissions = SUBMISSIONS if computes_apart(os.environ) else 1
        self._llm: Any = None
        self._params: Any = None
        self._failure: str | None = None
        self._on_step: Callable[[], None] = lambda: None
        self._names = itertools.count()
        # By name: prompts whose answers somebody wants and vLLM owes, and those that have come and were not fetched.
        self._owed: set[str] = set()
        self._answers: dict[str, Any] = {}

    @property
    def version(self) -> str:
        """`vllm` and its version."""
        return f"vllm {vllm_version()}"

    @property
    def capacity(self) -> Capacity:
        """Prompt length and documents per submission, from the settings."""
        return Capacity(
            max_prompt_tokens=self._settings.max_model_len - self.generated_tokens,
            batch_documents=self._settings.infer_batch_size,
            submissions=self._submissions,
        )

    def load(self, checkpoint: Checkpoint, on_step: Callable[[], None]) -> None:
        """Import vLLM, read the weights, reserve the cache. 10 to 20 s on a quiet 2-core machine."""
        try:
            import vllm  # noqa: PLC0415 - takes seconds, and the port must be open by then

            if self._cpu:
                register_architecture()
        except Exception as error:
            raise EngineLoadError("EngineMissing", f"vLLM can't be imported: {error}") from error
        quiet_misleading_loggers()
        arguments = self._arguments(checkpoint) | self._specific_arguments() | self._settings.engine_args
        log.info("loading %s: %s", checkpoint.path, arguments)
        try:
            self._llm = vllm.LLM(**arguments)
            self._params = self._parameters(checkpoint)
        except Exception as error:
            raise EngineLoadError(*explain_load_failure(error)) from error
        self._on_step = on_step

    def score(self, prompts: list[list[int]]) -> list[float]:
        """See the protocol."""
        scores: list[float] = self._collect(prompts, self._add(prompts)).log_odds.tolist()
        return scores

    def submit(self, batch: Sequence[Prompts]) -> Collect:
        """See the protocol. Where vLLM computes in a process of its own, it begins with the first prompt."""
        prompts = [ids for prompts in batch for ids in prompts.lists()]
        names = self._add(prompts)
        return lambda: self._collect(prompts, names)

    def takes_more(self) -> bool:
        """See the protocol. vLLM has a queue of its own."""
        return True

    def health(self) -> str | None:
        """Why the engine can't score, or None; notices an engine process that died while nothing was asked of it."""
        llm = self._llm
        if self._failure is None and llm is not None:
            core = getattr(llm.llm_engine, "engine_core", None)
            if getattr(getattr(core, "resources", None), "engine_dead", False):
                self._failure = "vLLM's engine process has died"
        return self._failure

    def close(self) -> None:
        """End vLLM's processes, where it has any."""
        llm, self._llm = self._llm, None
        if llm is not None:
            self._failure = self._failure or "the engine was closed"
            llm.llm_engine.engine_core.shutdown()

    # What a subclass defines.

    @abstractmethod
    def _specific_arguments(self) -> dict[str, Any]:
        """Arguments of `LLM` that make it this engine."""

    @abstractmethod
    def _parameters(self, checkpoint: Checkpoint) -> Any:
        """What vLLM is to do with each prompt; asked for once after loading."""

    @abstractmethod
    def _log_odds(self, output: Any) -> float:
        """The log-odds in one output; raises EngineError when it holds none."""

    # Arguments and differences between platforms.

    def _arguments(self, checkpoint: Checkpoint) -> dict[str, Any]:
        settings = self._settings
        batched_tokens = CPU_BATCHED_TOKENS if self._cpu else GPU_BATCHED_TOKENS
        arguments: dict[str, Any] = {
            "model": str(checkpoint.path),
            "dtype": self._dtype(),
            "max_model_len": settings.max_model_len,
            "enable_prefix_caching": settings.enable_prefix_caching,
            "enforce_eager": eager(settings, cpu=self._cpu),
            "tensor_parallel_size": settings.tensor_parallel_size,
            "gpu_memory_utilization": settings.gpu_memory_utilization,
            "max_num_batched_tokens": max(batched_tokens, settings.max_model_len),
            "disable_log_stats": False,  # its own metrics, passed through on /metrics
        }
        if self._cpu:
            # The default of 128 tokens is longer than most prompts' shared head, so that nothing would be reused.
            arguments["block_size"] = CPU_BLOCK_SIZE
        if engine_argument_exists("use_tqdm_on_load"):
            arguments["use_tqdm_on_load"] = False
        return arguments

    def _dtype(self) -> str:
        dtype = self._settings.dtype
        if not self._cpu:
            return dtype
        if dtype == "auto":
            log.info("dtype auto means float32 on a CPU")
            return "float32"
        if dtype == "float16":
            log.warning("dtype float16 on a CPU is slower and less exact than float32; say auto or float32")
        return dtype

    # Prompts and answers.

    def _add(self, prompts: list[list[int]]) -> list[str]:
        """Give prompts to vLLM; the names that its answers will have."""
        if self._failure is not None:
            raise EngineDead(self._failure)
        names: list[str] = []
        try:
            for ids in prompts:
                name = str(next(self._names))
                self._llm.llm_engine.add_request(name, {"type": "token", "prompt_token_ids": ids}, self._params)
                names.append(name)
                self._owed.add(name)
        except Exception as error:
            self._give_up(names)
            raise self._failed(error) from error
        return names

    def _collect(self, prompts: list[list[int]], names: list[str]) -> Answers:
        """Let vLLM go on until it has answered these. A failure leaves nothing behind that could answer others."""
        if self._failure is not None:
            raise EngineDead(self._failure)
        try:
            while not self._owed.isdisjoint(names) and self._llm.llm_engine.has_unfinished_requests():
                self._step()
            outputs = [self._answers.get(name) for name in names]
            return Answers(np.fromiter(map(self._checked, prompts, outputs), np.float64, len(prompts)))
        except Exception as error:
            raise self._failed(error) from error
        finally:
            self._give_up(names)

    def _step(self) -> None:
        for output in self._llm.llm_engine.step():
            if output.finished and output.request_id in self._owed:
                self._owed.remove(output.request_id)
                self._answers[output.request_id] = output
        self._on_step()

    def _checked(self, prompt: list[int], output: Any) -> float:
        """The log-odds in the output of a prompt: vLLM reports some failures as outputs that look like a score of 0."""
        if output is None:
            raise EngineError(f"vLLM has not answered a prompt of {len(prompt)} tokens")
        failure = getattr(output, "error", None)
        if failure:
            raise EngineError(f"vLLM failed on a prompt of {len(prompt)} tokens: {failure}")
        if list(output.prompt_token_ids) != prompt:
            raise EngineError("vLLM's answers are out of step with what was asked")
        return self._log_odds(output)

    def _give_up(self, names: list[str]) -> None:
        """Want nothing more of these; vLLM need not compute what it still owes of them."""
        unanswered = self._owed.intersection(names)
        self._owed -= unanswered
        for name in names:
            self._answers.pop(name, None)
        if unanswered and self._failure is None:
            try:
                self._llm.llm_engine.abort_request(sorted(unanswered))
            except Exception as error:
                log.exception("vLLM could not take prompts back")
                self._failure = f"vLLM failed, and could not take back {len(unanswered)} prompts: {error}"

    def _failed(self, error: Exception) -> EngineError:
        """What a failed call raises. Other submissions go on, unless vLLM's own process has ended."""
        if type(error).__name__ == "EngineDeadError":
            self._failure = f"vLLM's engine has died: {error}"
        return error if isinstance(error, EngineError) else EngineError(f"{type(error).__name__}: {error}")


def eager(settings: Settings, *, cpu: bool) -> bool:
    """Whether the model runs without compilation: what the file says, else yes on a CPU (150 s saved, no loss)."""
    return cpu if settings.enforce_eager is None else settings.enforce_eager


def engine_argument_exists(name: str) -> bool:
    """Whether the installed vLLM knows this constructor argument."""
    from vllm.engine.arg_utils import EngineArgs  # noqa: PLC0415

    return any(field.name == name for field in dataclasses.fields(EngineArgs))


def register_architecture() -> None:
    """Make the model's class known to vLLM as an object, under the names that both engines load it by.

    vLLM otherwise starts a Python process to look at the class, so that CUDA stays untouched in this one: on a CPU
    that only costs time, 10 s of each start where no cache of earlier starts survives, as in a pod.
    """
    from vllm import ModelRegistry  # noqa: PLC0415
    from vllm.model_executor.models.qwen3 import Qwen3ForCausalLM  # noqa: PLC0415

    for architecture in ("Qwen3ForCausalLM", "Qwen3ForSequenceClassification"):
        ModelRegistry.register_model(architecture, Qwen3ForCausalLM)


def quiet_misleading_loggers() -> None:
    """Silence warnings about things we don't use: they would send a reader looking for a fault that isn't there."""
    for name in (
        "vllm.entrypoints.pooling.scoring.io_processor",  # warns of a missing chat template: we send token ids
        "vllm.renderers.base",  # warns that it has no tokenizer: neither does it need one
    ):
        logging.getLogger(name).setLevel(logging.ERROR)


def explain_load_failure(error: Exception) -> tuple[str, str]:
    """A reason to classify by, and one line that says what happened, for a failure inside vLLM's constructor."""
    text = " ".join(str(error).split()) or type(error).__name__
    lowered = text.lower()
    if "out of memory" in lowered or "free memory on device" in lowered or isinstance(error, MemoryError):
        return "OutOfMemory", f"not enough memory for the model and its cache: {text}"
    if "kv cache" in lowered and "memory" in lowered:
        return "OutOfMemory", f"no memory left for the key/value cache: {text}"
    if isinstance(error, TypeError) and "unexpected keyword argument" in text:
        return "BadEngineArguments", f"engine_args: {text}"
    return "EngineFailed", f"{type(error).__name__}: {text}"
