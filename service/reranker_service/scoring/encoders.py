"""Text to ids with a tokenizer.json's own byte-pair merges, by whichever of two libraries computes them faster.

Tokenising a thousand product titles took as long as the model's own work on a large GPU. `tiktoken` gives the same ids
in a sixth of the time, and all texts of a request as one array, without an object for each. It reads another form of
the same merges, so it is used only for a definition that says nothing which it can't say; any other is left to
`tokenizers`, and so is a text that its regular expressions can't take.
"""

import json
import logging
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from reranker_service.scoring.prompt_arrays import Ints, as_ids

log = logging.getLogger(__name__)

# Stands between texts that are encoded in one go: a character that no text may have (Unicode calls it none), and an id
# that no vocabulary has.
BETWEEN, BETWEEN_ID = "\uffff", 1 << 31
# The expression's look-ahead goes back through white space one character at a time, on a stack that ends somewhere.
LONG_WHITE_SPACE = re.compile(r"\s{200}")
# Fewer texts in a call are not worth waking a thread for. More threads than these wait for one another.
TEXTS_A_CALL = 24
THREADS = 4


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts as ids. ids: (t,) all of them, one text after another. lengths: (n,) how many each text has."""

    ids: Ints
    lengths: Ints


class Encoder(Protocol):
    """Turns plain text into ids. Knows no control tokens. Safe from any thread."""

    def encode(self, text: str) -> list[int]:
        """The ids of one text."""

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        """The ids of each text, in order."""


class LibraryEncoder:
    """`tokenizers` by any definition.

    Raises:
        Exception: the library can't read the definition; it has no type of its own for that.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        plain = {**definition, "added_tokens": [], "truncation": None, "padding": None, "post_processor": None}
        self._library = Tokenizer.from_str(json.dumps(plain))

    def encode(self, text: str) -> list[int]:
        """See the protocol."""
        ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        """See the protocol. Computed in parallel, outside the interpreter's lock."""
        lists = [encoding.ids for encoding in self._library.encode_batch_fast(list(texts), add_special_tokens=False)]
        lengths = np.fromiter(map(len, lists), np.int32, len(lists))
        return Encoded(as_ids(chain.from_iterable(lists), int(lengths.sum())), lengths)


class MergesEncoder:
    """`tiktoken` by the merges of a definition.

    Args:
        definition: a tokenizer.json.
        otherwise: encodes what this one can't.

    Raises:
        ValueError: the definition is none of those whose ids this gives exactly; says why.
    """

    def __init__(self, definition: Mapping[str, Any], otherwise: Encoder) -> None:
        import tiktoken  # noqa: PLC0415 - the tool that trains the small model uses this package without it

        self._composes = _composes(definition)
        self._otherwise = otherwise
        encoding = tiktoken.Encoding(
            "tokenizer.json",
            pat_str=_expression(definition),
            mergeable_ranks=_ranks(definition),
            special_tokens={BETWEEN: BETWEEN_ID},
        )
        # Its public functions look for control tokens in every text first.
        self._core = encoding._core_bpe  # noqa: SLF001
        self._between = {BETWEEN}
        self._threads = min(THREADS, len(os.sched_getaffinity(0)))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="tokenize")

    def encode(self, text: str) -> list[int]:
        """See the protocol."""
        if LONG_WHITE_SPACE.search(text):
            return self._otherwise.encode(text)
        ids: list[int] = self._core.encode_ordinary(self._composed(text))
        return ids

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        """See the protocol. A few calls for all texts, side by side and outside the interpreter's lock."""
        size = max(TEXTS_A_CALL, -(-len(texts) // self._threads))
        first, *others = [texts[start : start + size] for start in range(0, len(texts), size)] or [texts]
        begun = [self._pool.submit(self._encode_some, some) for some in others]
        parts = [self._encode_some(first), *(each.result() for each in begun)]
        return Encoded(np.concatenate([part.ids for part in parts]), np.concatenate([part.lengths for part in parts]))

    def _encode_some(self, texts: Sequence[str]) -> Encoded:
        joined = BETWEEN.join(texts)
        if not texts or joined.count(BETWEEN) != len(texts) - 1 or LONG_WHITE_SPACE.search(joined):
            return self._otherwise.encode_batch(texts)
        buffer = self._core.encode_to_tiktoken_buffer(self._composed(joined), self._between)
        ids = np.frombuffer(buffer, np.uint32)
        between = ids == BETWEEN_ID
        bounds = np.concatenate(([-1], np.flatnonzero(between), [len(ids)]))
        return Encoded(ids[~between].astype(np.int32), (np.diff(bounds) - 1).astype(np.int32))

    def _composed(self, text: str) -> str:
        return unicodedata.normalize("NFC", text) if self._composes else text


def choose_encoder(definition: Mapping[str, Any]) -> Encoder:
    """The fastest encoder that gives a tokenizer.json's ids exactly.

    Raises:
        Exception: no library can read the definition.
    """
    library = LibraryEncoder(definition)
    try:
        return MergesEncoder(definition, library)
    except (ImportError, KeyError, TypeError, ValueError) as error:
        log.info("texts are tokenised by the tokenizers library, the slower of two: %s", error)
        return library


def _composes(definition: Mapping[str, Any]) -> bool:
    normalizer = definition.get("normalizer")
    if normalizer not in (None, {"type": "NFC"}):
        raise ValueError(f"normalizer {normalizer}")
    return normalizer is not None


def _expression(definition: Mapping[str, Any]) -> str:
    """The regular expression that cuts a text into words."""
    split, levels = definition["pre_tokenizer"]["pretokenizers"]
    expression = split["pattern"]["Regex"]
    if split != {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}:
        raise ValueError(f"pre-tokenizer {split}")
    if levels["type"] != "ByteLevel" or levels["add_prefix_space"] or levels["use_regex"]:
        raise ValueError(f"pre-tokenizer {levels}")
    return str(expression)


def _ranks(definition: Mapping[str, Any]) -> dict[bytes, int]:
    """Each token's bytes with its id, which is the order of merging too.

    `tiktoken` merges whatever makes a token, the lowest id first; `tokenizers` what a list of pairs names, in its
    order. That is one thing where every token but the bytes is made by one pair, the one that the merges before it
    leave of its text (so it is wherever merges come from training), and ids follow that list's order.
    """
    model = definition["model"]
    others = {"dropout": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "byte_fallback": False}
    wrong = {key: model[key] for key, usual in others.items() if (model.get(key) or usual) != usual}
    if model["type"] != "BPE" or wrong or model.get("ignore_merges"):
        raise ValueError(f"model {model['type']} {wrong or 'with ignore_merges'}")
    vocabulary: dict[str, int] = model["vocab"]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    made = [vocabulary["".join(pair)] for pair in pairs]
    byte_of = _byte_alphabet()
    bytes_alone = sorted(vocabulary[letter] for letter in byte_of)
    if bytes_alone + made != sorted(vocabulary.values()):
        raise ValueError("ids that do not follow the merges")
    return {bytes(byte_of[letter] for letter in token): place for token, place in vocabulary.items()}


def _byte_alphabet() -> dict[str, int]:
    """The printable letter that a byte-level vocabulary writes for each byte: itself, or the next free one from 256."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
