"""Turns the catalogue into token ids: one query with several products a group, in the service's own prompts.

A group keeps what its prompts share (everything up to the document) once. Training computes that part once as well,
which makes full prompts about as cheap as the products alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tokenizers import Tokenizer

from reranker_service.scoring.prompts import IM_END, InstructionFormat, PromptBuilder
from reranker_service.scoring.tokenizer import PromptTokenizer
from reranker_tiny import catalogue, titles
from reranker_tiny.catalogue import Combination, Relation
from reranker_tiny.titles import Text
from reranker_tiny.vocabulary import Language

# An attribute and the index of a token.
Place: TypeAlias = tuple[str, int]

DEFAULT_INSTRUCTION: Final = "Rank products by query with category & style match prioritized"
# A few others, so that a changed instruction does not throw the model off its course.
OTHER_INSTRUCTIONS: Final = (
    "Given a web search query, retrieve relevant passages that answer the query",
    "Rank products by relevance to the query",
    "Given a shopping query, judge whether the product matches",
    "根据查询对商品进行相关性排序",
)
MAX_MODEL_LEN: Final = 160
FORMATS: Final[tuple[InstructionFormat, ...]] = ("compact", "standard")
# What a group is made of: some that fit, many that nearly do, and some that do not.
RELATIONS: Final[tuple[Relation, ...]] = (
    "full", "full", "near", "near", "near", "far", "gender", "sibling", "sibling", "confusable", "other", "other",
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One query and its products as text, with the graded relevance of each and what the texts were written from."""

    query: Text
    documents: list[Text]
    levels: list[int]
    asked: Combination
    offered: list[Combination]


@dataclass(frozen=True)
class Encoded:
    """A group as ids: the prompt up to the document once, then document and suffix for each product."""

    head: list[int]
    tails: list[list[int]]


def draw(
    rng: random.Random, language: Language, *, held_out: bool, document_language: Language | None = None
) -> Judged:
    """One query with len(RELATIONS) products, all of one half of the split, in a random order."""
    shop = document_language or language
    asked = catalogue.draw_query(rng, language, held_out=held_out)
    relations = list(RELATIONS)
    rng.shuffle(relations)
    offered = [catalogue.draw_product(rng, asked, relation, shop, held_out=held_out) for relation in relations]
    return Judged(
        query=titles.write_query(asked, rng, language),
        documents=[titles.write_title(product, rng, shop) for product in offered],
        levels=[catalogue.level(asked, product) for product in offered],
        asked=asked,
        offered=offered,
    )


class Encoder:
    """Encodes groups through the service's prompt builder.

    Args:
        tokenizer_json: path of the Qwen3 tokenizer.
        max_model_len: most tokens a prompt may have.
    """

    def __init__(self, tokenizer_json: Path, max_model_len: int = MAX_MODEL_LEN) -> None:
        self.tokenizer = PromptTokenizer(tokenizer_json)
        self._offsets = Tokenizer.from_file(str(tokenizer_json))
        self._im_end = self.tokenizer.special(IM_END)
        self._builders = {
            name: PromptBuilder(
                self.tokenizer,
                instruction_format=name,
                instruction=DEFAULT_INSTRUCTION,
                max_tokens=max_model_len - 1,
            )
            for name in FORMATS
        }

    def prompts(
        self,
        query: str,
        documents: Sequence[str],
        instruction_format: InstructionFormat,
        instruction: str | None = None,
    ) -> list[list[int]]:
        """The whole prompts' token ids, one list a document."""
        builder = self._builders[instruction_format]
        return [prompt.token_ids for prompt in builder.build(query, documents, instruction)]

    def encode(self, group: Judged, instruction_format: InstructionFormat, instruction: str | None = None) -> Encoded:
        """The group's prompts with the shared head taken apart."""
        documents = [document.text for document in group.documents]
        prompts = self._builders[instruction_format].build(group.query.text, documents, instruction)
        first = prompts[0]
        # The suffix begins with the last <|im_end|>; texts never yield one.
        suffix = first.token_ids[::-1].index(self._im_end) + 1
        head = len(first.token_ids) - suffix - first.document_tokens
        return Encoded(first.token_ids[:head], [prompt.token_ids[head:] for prompt in prompts])

    def places(self, group: Judged, encoded: Encoded) -> tuple[list[Place], list[list[Place]]]:
        """Where the query's marks end in the head, and each document's in its tail.

        A mark is found at its last token: only there is the whole word known. Marks whose last token runs on into the
        next word, or was cut off, are left out.
        """
        before, behind = "<Query>: ", "\n<Document>:"
        segment = self._offsets.encode(before + group.query.text + behind, add_special_tokens=False)
        start = len(encoded.head) - len(segment.ids)
        if encoded.head[start:] != segment.ids:
            raise ValueError("the prompt's head does not end with the query line")
        asked = _ends(group.query, segment.offsets, shift=len(before), start=start)
        offered = []
        for document, tail in zip(group.documents, encoded.tails, strict=True):
            offsets = self._offsets.encode(f" {document.text}", add_special_tokens=False).offsets
            offered.append([place for place in _ends(document, offsets, shift=1, start=0) if place[1] < len(tail)])
        return asked, offered


def _ends(text: Text, offsets: list[tuple[int, int]], *, shift: int, start: int) -> list[Place]:
    """The token at which each mark of `text` ends; token i covers the characters offsets[i] of a shifted text."""
    found: list[Place] = []
    for attribute, _, end in text.marks:
        covering = [index for index, (first, last) in enumerate(offsets) if first < end + shift <= last]
        if covering and offsets[covering[-1]][1] == end + shift:
            found.append((attribute, start + covering[-1]))
    return found
