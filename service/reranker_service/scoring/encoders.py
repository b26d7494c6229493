"""Text to ids as a tokenizer.json says, by whichever of two libraries computes them faster.

Tokenising a thousand product titles took as long as the model's own work on a large GPU. `fastokens` reads the same
definition, gives the same ids in a thirtieth of the time, and those of all texts as one array, without an object for
each. What it can't read or can't encode is left to `tokenizers`.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from reranker_service.scoring.prompt_arrays import Ints, as_ids

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts as ids. ids: (t,) all of them, one text after another. lengths: (n,) how many each text has."""

    ids: Ints
    lengths: Ints


class Encoder(Protocol):
    """Turns plain text into ids. Knows no control tokens. Safe from any thread."""

    @property
    def quick(self) -> bool:
        """Whether a few hundred titles take less than a millisecond."""

    def encode(self, text: str) -> list[int]:
        """The ids of one text."""

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        """The ids of each text, in order."""


class LibraryEncoder:
    """`tokenizers` by any definition.

    Raises:
        Exception: the library can't read the definition; it has no type of its own for that.
    """

    quick = False

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._library = Tokenizer.from_str(_plain(definition))

    def encode(self, text: str) -> list[int]:
        """See the protocol."""
        ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        """See the protocol. Computed in parallel, outside the interpreter's lock."""
        lists = [encoding.ids for encoding in self._library.encode_batch_fast(list(texts), add_special_tokens=False)]
        lengths = np.fromiter(map(len, lists), np.int32, len(lists))
        return Encoded(as_ids(chain.from_iterable(lists), int(lengths.sum())), lengths)


class FlatEncoder:
    """`fastokens`, which reads the definition in a thread of its own: that takes seconds in which a model can load.

    Args:
        definition: a tokenizer.json.
        otherwise: encodes what this one can't: all as long as the definition is read, and where it can't be read.

    Raises:
        ImportError: the package is missing.
    """

    def __init__(self, definition: Mapping[str, Any], otherwise: Encoder) -> None:
        import fastokens  # noqa: PLC0415 - the tool that trains the small model uses this package without it

        self._otherwise = otherwise
        pool = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")
        self._read: Future[Any] = pool.submit(fastokens.Tokenizer.from_json_str, _plain(definition))
        self._read.add_done_callback(_tell)
        pool.shutdown(wait=False)

    @property
    def quick(self) -> bool:
        """See the protocol."""
        return self._read.done() and self._read.exception() is None

    def encode(self, text: str) -> list[int]:
        """See the protocol."""
        ids: list[int] = self.encode_batch([text]).ids.tolist()
        return ids

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        """See the protocol. Outside the interpreter's lock."""
        if not self._read.done():
            return self._otherwise.encode_batch(texts)
        try:
            ids, offsets = self._read.result().encode_batch_flat(list(texts))
        except ValueError:
            return self._otherwise.encode_batch(texts)
        lengths = np.diff(np.frombuffer(offsets, np.uint64)).astype(np.int32)
        return Encoded(np.frombuffer(ids, np.int32), lengths)


def choose_encoder(definition: Mapping[str, Any]) -> Encoder:
    """The fastest encoder for a tokenizer.json.

    Raises:
        Exception: the definition can't be read.
    """
    library = LibraryEncoder(definition)
    try:
        return FlatEncoder(definition, library)
    except ImportError:
        return library


def _tell(read: Future[Any]) -> None:
    if error := read.exception():
        log.info("texts are tokenised by the tokenizers library, the slower of two: %s", error)


def _plain(definition: Mapping[str, Any]) -> str:
    """The definition without control tokens, and without anything that is done to ids afterwards."""
    parts = {**definition, "added_tokens": [], "truncation": None, "padding": None, "post_processor": None}
    return json.dumps(parts)
