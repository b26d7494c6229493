"""The Qwen3 reranker prompt as token ids, the same for every backend.

The tokenizer's chat template is never used: published templates differ from what the model was trained on in line
breaks and in the empty thinking block, and they cut the suffix off when a document is long. Here the parts are put
together from ids, so that the suffix is always there and only document tokens are ever cut.

The text from the user turn's start to `<Document>:` is encoded as one string and `" " + document` as the next. That
seam is exact (the pre-tokenizer always breaks before that space), and it is the only one: a question mark at a query's
end takes the following line break into its token, and a space left on the head's side would not join the document.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reranker_service.scoring.tokenizer import PromptTokenizer

__all__ = ["NO_LIMITS", "InstructionFormat", "Limits", "Prompt", "PromptBuilder", "PromptTokenizer", "QueryTooLong"]

InstructionFormat = Literal["compact", "standard"]

IM_START, IM_END, THINK, END_THINK = "<|im_start|>", "<|im_end|>", "<think>", "</think>"
STANDARD_SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)


class QueryTooLong(ValueError):  # noqa: N818 - a name that callers read as the condition
    """Instruction and query leave no room for a single document token."""

    def __init__(self, needed: int, available: int) -> None:
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
class Limits:
    """What one request allows, below what the model does; None for no limit of its own.

    `document_tokens` is the most ids kept of a document, the space before it included; `prompt_tokens` is the most ids
    of a whole prompt.
    """

    document_tokens: int | None = None
    prompt_tokens: int | None = None


NO_LIMITS = Limits()


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
        head = self._head(query, self._instruction if instruction is None else instruction)
        available = min(self._max_tokens, limits.prompt_tokens or self._max_tokens)
        room = available - len(head) - len(self._suffix)
        if room < 1:
            raise QueryTooLong(needed=available - room + 1, available=available)
        kept = min(room, limits.document_tokens or room)
        encoded = self._tokenizer.encode_batch([f" {document}" for document in documents])
        return [
            Prompt(
                token_ids=[*head, *ids[:kept], *self._suffix],
                document_tokens=min(len(ids), kept),
                truncated=len(ids) > kept,
            )
            for ids in encoded
        ]

    def build_pairs(
        self, pairs: Sequence[tuple[str, str]], instruction: str | None = None, limits: Limits = NO_LIMITS
    ) -> list[Prompt]:
        """One prompt per (query, document), in the order given; each distinct query is encoded once.

        Raises:
            QueryTooLong: one of the queries leaves no room for a document token.
        """
        places_of: dict[str, list[int]] = {}
        for place, (query, _) in enumerate(pairs):
            places_of.setdefault(query, []).append(place)
        built: dict[int, Prompt] = {}
        for query, places in places_of.items():
            documents = [pairs[place][1] for place in places]
            built.update(zip(places, self.build(query, documents, instruction, limits), strict=True))
        return [built[place] for place in range(len(pairs))]

    def _head(self, query: str, instruction: str) -> list[int]:
        system = STANDARD_SYSTEM if self._format == "standard" else instruction
        user = f"user\n<Instruct>: {instruction}\n<Query>: {query}\n<Document>:"
        return [
            self._im_start,
            *self._tokenizer.encode(f"system\n{system}"),
            self._im_end,
            *self._line_break,
            self._im_start,
            *self._tokenizer.encode(user),
        ]
