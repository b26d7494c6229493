"""`qwen3_vllm_score`: vLLM's pooling runner on the original checkpoint.

vLLM builds a one-row head from the rows of `yes` and `no` of the language model's head, in float32 whatever the model's
dtype is, and returns their difference. The task `classify` without an activation gives that logit, with the same
meaning in every supported version.
"""

from typing import Any

from reranker_service.engines.protocol import Checkpoint, EngineError
from reranker_service.engines.vllm_common import VllmEngine


class VllmScoreEngine(VllmEngine):
    """Log-odds by vLLM's classification of the last token."""

    def _specific_arguments(self) -> dict[str, Any]:
        return {
            "runner": "pooling",
            "convert": "classify",
            # Before 0.32 a prompt of max_model_len ids that two steps share is never finished: the scheduler keeps room
            # for a token that pooling does not sample (vLLM's pull request 48039).
            "enable_chunked_prefill": False,
            "hf_overrides": {
                "architectures": ["Qwen3ForSequenceClassification"],
                "classifier_from_token": ["no", "yes"],
                "is_original_qwen3_reranker": True,
            },
        }

    def _parameters(self, checkpoint: Checkpoint) -> Any:
        del checkpoint  # vLLM looks the two words up itself, by the names above
        from vllm import PoolingParams  # noqa: PLC0415

        return PoolingParams(task="classify", use_activation=False)

    def _log_odds(self, output: Any) -> float:
        values = output.outputs.data.flatten().tolist()
        if len(values) != 1:
            raise EngineError(f"vLLM returned {len(values)} values for a prompt, not one")
        return float(values[0])
