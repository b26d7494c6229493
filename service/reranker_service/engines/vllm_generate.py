"""`qwen3_vllm`: vLLM generates one token, and the log-probabilities of `yes` and `no` at that place are read.

Both must be there. Asking for the 20 most probable tokens would lose one of them for clear-cut documents, so they are
asked for by id; a vLLM without that is made to choose between the two, where both are always among the two best. The
difference of two log-probabilities is the difference of the logits, so that both ways give the same log-odds.

The language model's head has the model's dtype here: in bfloat16 logits come in steps of up to 1/8. Where that matters,
use float16 or float32, or the score backend, whose head is float32.
"""

from typing import Any

from reranker_service.engines.protocol import Checkpoint, EngineError
from reranker_service.engines.vllm_common import VllmEngine


class VllmGenerateEngine(VllmEngine):
    """Log-odds from the log-probabilities of one generated token."""

    generated_tokens = 1
    _yes_id = -1
    _no_id = -1

    def _specific_arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {"runner": "generate", "skip_tokenizer_init": True}
        if not _takes_token_ids():
            arguments["logprobs_mode"] = "processed_logprobs"
        return arguments

    def _parameters(self, checkpoint: Checkpoint) -> Any:
        from vllm import SamplingParams  # noqa: PLC0415
        from vllm.sampling_params import RequestOutputKind  # noqa: PLC0415

        self._yes_id, self._no_id = checkpoint.tokenizer.yes_id, checkpoint.tokenizer.no_id
        both = [self._yes_id, self._no_id]
        if _takes_token_ids():
            which: dict[str, Any] = {"logprob_token_ids": both}
        else:
            which = {"allowed_token_ids": both, "logprobs": 2}
        return SamplingParams(
            temperature=0.0, max_tokens=1, detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY, **which
        )

    def _log_odds(self, output: Any) -> float:
        positions = output.outputs[0].logprobs if output.outputs else None
        if not positions or self._yes_id not in positions[0] or self._no_id not in positions[0]:
            raise EngineError("vLLM returned no log-probability of yes or of no for a prompt")
        return float(positions[0][self._yes_id].logprob) - float(positions[0][self._no_id].logprob)


def _takes_token_ids() -> bool:
    """Whether log-probabilities can be asked for by token id (0.32 can, 0.18 can't)."""
    from vllm import SamplingParams  # noqa: PLC0415

    return hasattr(SamplingParams, "logprob_token_ids")
