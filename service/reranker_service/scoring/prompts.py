"""The Qwen3 reranker prompt as token ids, the same for every backend.

The tokenizer's chat template is never used: published templates differ from what the model was trained on in line
breaks and in the empty thinking block, and they cut the suffix off when a document is long. Here the parts are put
together from ids, so that the suffix is always there and only document tokens are ever cut.

The text from the user turn's start to `<Document>:` is encoded as one string and `" " + document` as the next. That
seam is exact (the pre-tokenizer always breaks before that space), and it is the only one: a question mark at a query's
end takes the following line break into its token, and a space left on the head's side would not join the document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reranker_service.scoring.encoders import Encoded
from reranker_service.scoring.prompt_arrays import Ints, Prompts, as_ids
from reranker_service.scoring.tokenizer import PromptTokenizer

__all__ = ["NO_LIMITS", "InstructionFormat", "Limits", "Prompt", "PromptBuilder", "PromptTokenizer", "QueryTooLong"]

InstructionFormat = Literal["compact", "standard"]

IM_START, IM_END, THINK, END_THINK = "<|im_start|>", "<|im_end|>", "<think>", "</think>"
STANDARD_SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)


class QueryTooLong(ValueError):  # noqa: N818 - a name that callers read as the condition
    """Instruction and query leave no room for a single document token. `param` is what the request calls its query."""

    def __init__(self, needed: int, available: int) -> None:
        self.param = "query"
        self.needed = needed
        self.available = available
        super().__init__(
            f"the query and instruction need {needed} tokens with the prompt's fixed parts and one document token, "
            f"but a prompt may have {available}; shorten the query or the instruction, or raise max_model_len"
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """One (query, document) pair, ready for an engine.

    `token_ids` is the whole prompt; `document_tokens` counts the document ids kept in it; `truncated` says whether
    document ids were cut from the right.
    """

    token_ids: list[int]
    document_tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """Some of a request's pairs that have one query, as prompts.

    places: (n,) which pairs these are. truncated: (n,) whose document ids were cut. The last `suffix_tokens` of each
    body are the template's, the others the document's.
    """

    prompts: Prompts
    places: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    suffix_tokens: int

    @property
    def document_tokens(self) -> Ints:
        """(n,) ids kept of each document."""
        return self.prompts.lengths - np.int32(self.suffix_tokens)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request allows, below what the model does; None for no limit of its own.

    `document_tokens` is the most ids kept of a document, the space before it included; `prompt_tokens` is the most ids
    of a whole prompt.
    """

    document_tokens: int | None = None
    prompt_tokens: int | None = None

    def with_document_tokens(self, most: int | None) -> "Limits":
        """These limits, and no document longer than `most` (None: as it was)."""
        if most is None:
            return self
        return Limits(min(most, self.document_tokens or most), self.prompt_tokens)


NO_LIMITS = Limits()
LOT_GROWTH = 16


class PromptBuilder:
    """Builds prompts in one instruction format.

    Args:
        tokenizer: the checkpoint's tokenizer.
        instruction_format: `standard` is the official prompt (a fixed yes/no system message); `compact` has the
            instruction as system message too.
        instruction: what "relevant" means, for requests that bring no instruction of their own.
        max_tokens: most ids a prompt may have; what an engine generates is already subtracted.

    Raises:
        TokenizerError: the tokenizer lacks one of the template's control tokens.
    """

    def __init__(
        self, tokenizer: PromptTokenizer, *, instruction_format: InstructionFormat, instruction: str, max_tokens: int
    ) -> None:
        self._tokenizer = tokenizer
        self._format = instruction_format
        self._instruction = instruction
        self._max_tokens = max_tokens
        self._im_start = tokenizer.special(IM_START)
        self._im_end = tokenizer.special(IM_END)
        self._line_break = tokenizer.encode("\n")
        system = STANDARD_SYSTEM if instruction_format == "standard" else instruction
        self._system = tokenizer.encode(f"system\n{system}")
        self._suffix = [
            self._im_end,
            *self._line_break,
            self._im_start,
            *tokenizer.encode("assistant\n"),
            tokenizer.special(THINK),
            *tokenizer.encode("\n\n"),
            tokenizer.special(END_THINK),
            *tokenizer.encode("\n\n"),
        ]

    def build(
        self, query: str, documents: Sequence[str], instruction: str | None = None, limits: Limits = NO_LIMITS
    ) -> list[Prompt]:
        """One prompt per document, in the order given. `instruction` replaces the builder's own when it is not None.

        Raises:
            QueryTooLong: the head and the suffix leave no room for one document token.
        """
        built: list[Prompt] = []
        for part in self.encode_pairs([(query, document) for document in documents], instruction, limits):
            counts = zip(part.document_tokens.tolist(), part.truncated.tolist(), strict=True)
            built += [Prompt(ids, *each) for ids, each in zip(part.prompts.lists(), counts, strict=True)]
        return built

    def encode_pairs(
        self,
        pairs: Sequence[tuple[str, str]],
        instruction: str | None = None,
        limits: Limits = NO_LIMITS,
        *,
        at_once: int | None = None,
    ) -> Iterator[EncodedPairs]:
        """The prompts of (query, document) pairs as arrays, each distinct query encoded once.

        They come in growing lots of one query, documents of about `at_once` characters first (None: all), so that the
        first can be scored while the others are encoded. No text is encoded before the first is asked for.

        Raises:
            QueryTooLong: one of the queries leaves no room for a document token; told before anything is yielded.
        """
        places_of: dict[str, list[int]] = {}
        for place, (query, _) in enumerate(pairs):
            places_of.setdefault(query, []).append(place)
        told = self._instruction if instruction is None else instruction
        heads = {query: self._fitting_head(query, told, limits) for query in places_of}
        for query, places in places_of.items():
            head, kept = heads[query]
            texts = [f" {pairs[place][1]}" for place in places]
            for start, stop in pairwise(_lots(texts, at_once)):
                prompts, truncated = self._put_together(head, self._tokenizer.encode_batch(texts[start:stop]), kept)
                some = np.asarray(places[start:stop], np.int64)
                yield EncodedPairs(prompts, some, truncated, len(self._suffix))

    def _fitting_head(self, query: str, instruction: str, limits: Limits) -> tuple[Ints, int]:
        """The head's ids, and how many ids of each document may stand behind it."""
        head = self._head(query, instruction)
        available = min(self._max_tokens, limits.prompt_tokens or self._max_tokens)
        room = available - len(head) - len(self._suffix)
        if room < 1:
            raise QueryTooLong(needed=available - room + 1, available=available)
        return as_ids(head, len(head)), min(room, limits.document_tokens or room)

    def _put_together(self, head: Ints, encoded: Encoded, kept: int) -> tuple[Prompts, NDArray[np.bool_]]:
        """Prompts of encoded documents, each cut to `kept` ids and followed by the suffix, and which were cut.

        No statement per document: a thousand of them would take longer than the encoding.
        """
        ids, lengths = encoded.ids, encoded.lengths
        truncated = lengths > kept
        if truncated.any():
            begins = np.cumsum(lengths, dtype=np.int64) - lengths
            ids = ids[np.arange(len(ids)) - np.repeat(begins, lengths) < kept]
            lengths = np.minimum(lengths, np.int32(kept))
        suffix = np.asarray(self._suffix, np.int32)
        with_suffix = lengths + np.int32(len(suffix))
        ends = np.cumsum(with_suffix, dtype=np.int64)
        bodies = np.empty(int(ends[-1]), np.int32)
        from_template = (ends[:, None] - len(suffix) + np.arange(len(suffix))).ravel()
        from_document = np.ones(len(bodies), np.bool_)
        from_document[from_template] = False
        bodies[from_template] = np.tile(suffix, len(lengths))
        bodies[from_document] = ids
        return Prompts(head, bodies, with_suffix), truncated

    def _head(self, query: str, instruction: str) -> list[int]:
        own = self._format == "standard" or instruction == self._instruction
        user = f"user\n<Instruct>: {instruction}\n<Query>: {query}\n<Document>:"
        return [
            self._im_start,
            *(self._system if own else self._tokenizer.encode(f"system\n{instruction}")),
            self._im_end,
            *self._line_break,
            self._im_start,
            *self._tokenizer.encode(user),
        ]


def _lots(texts: Sequence[str], first: int | None) -> list[int]:
    """Where lots end, from 0 on: texts of `first` characters or a few more (None: all), then of ever more.

    Encoding takes a small part of the time that a device takes to score, so few lots do. None is made for a remainder
    that is smaller than the lot before it.
    """
    if first is None:
        return [0, len(texts)]
    behind = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    ends, size, done = [0], first, 0
    while ends[-1] < len(texts):
        stop = int(np.searchsorted(behind, done + size)) + 1
        ends.append(stop if stop < len(texts) and behind[-1] - behind[stop - 1] >= size else len(texts))
        size, done = size * LOT_GROWTH, int(behind[ends[-1] - 1])
    return ends
