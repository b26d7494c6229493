"""What the engine needs of a model on some device, and what a model needs of the settings. Imports no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reranker_service.scoring.prompt_arrays import Prompts

# Submissions are bounded by tokens; this only bounds those of very short documents.
DOCUMENTS = 4096
# A step on a CPU takes seconds per thousand tokens for a real model; short steps keep the sign of life honest.
CPU_PART_TOKENS = 1024

Floats = NDArray[np.float32]
Wait = Callable[[], tuple[Floats, float | None]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on some device.

    submit: begins to score a batch; the function it returns waits for the log-odds, in order, and gives the device's
    seconds too, where it has any of its own. The callable it takes is told of each step. batch_tokens: most tokens that
    are computed in one forward pass. submissions: see `Capacity`. idle: whether it has
    computed all that was submitted.
    """

    submit: Callable[[Sequence[Prompts], Callable[[], None]], Wait]
    batch_tokens: int
    submissions: int
    idle: Callable[[], bool]


class PackedSettings(Protocol):
    """What the engine reads of the service's settings."""

    @property
    def max_model_len(self) -> int:
        """Most ids of a prompt."""

    @property
    def dtype(self) -> str:
        """auto, float16, bfloat16 or float32."""

    @property
    def quantization(self) -> str | None:
        """None, or fp8: products in 8-bit floats."""

    @property
    def enable_prefix_caching(self) -> bool:
        """Whether a CPU keeps heads from one request to the next."""

    @property
    def enforce_eager(self) -> bool | None:
        """True: capture no graphs."""

    @property
    def gpu_memory_utilization(self) -> float:
        """Share of the card's memory that weights and activations may take."""

    @property
    def tensor_parallel_size(self) -> int:
        """Anything but 1 is refused."""

    @property
    def engine_args(self) -> Mapping[str, object]:
        """Another engine's own arguments; refused, rather than ignored."""
