"""The fast encoder gives the ids of the library that the checkpoint's tokenizer.json was written for, for any text."""

import json
import random
import sys
import unicodedata
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.unit.service.test_prompts import CONTROL_TEXTS, PIECES, random_text

from reranker_service.scoring.encoders import Encoded, Encoder, FlatEncoder, LibraryEncoder, choose_encoder


class Refusing:
    """What must not be asked."""

    def encode(self, text: str) -> list[int]:
        raise AssertionError(f"the fast library failed at {text!r}")

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        raise AssertionError(f"the fast library failed at {texts!r}")


@pytest.fixture(scope="module")
def definition(tokenizer_json: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(tokenizer_json.read_text())
    return read


@pytest.fixture(scope="module")
def library(definition: dict[str, Any]) -> LibraryEncoder:
    return LibraryEncoder(definition)


@pytest.fixture(scope="module")
def fast(definition: dict[str, Any]) -> FlatEncoder:
    encoder = FlatEncoder(definition, Refusing())
    encoder._read.result()
    return encoder


def ids_of(encoder: Encoder, texts: list[str]) -> list[list[int]]:
    encoded = encoder.encode_batch(texts)
    ids, lengths = encoded.ids.tolist(), encoded.lengths.tolist()
    assert sum(lengths) == len(ids)
    found = []
    for length in lengths:
        found.append(ids[:length])
        ids = ids[length:]
    return found


def many(letter: str) -> bool:
    """One of the hundred thousand that are alike: Han and Hangul."""
    return unicodedata.name(letter, "").startswith(("CJK UNIFIED", "CJK COMPATIBILITY", "HANGUL SYLLABLE", "TANGUT"))


def test_a_qwen3_tokenizer_gets_the_fast_encoder(definition: dict[str, Any]) -> None:
    assert isinstance(choose_encoder(definition), FlatEncoder)


def test_every_character_is_cut_and_merged_alike(library: LibraryEncoder, fast: FlatEncoder) -> None:
    # Which characters are letters, digits and white space is decided by tables of the libraries' own, which may be of
    # different editions of Unicode: those that Python's table does not know yet may differ.
    known = [
        letter
        for letter in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(letter) not in ("Cn", "Cs", "Co") and (ord(letter) % 128 == 0 or not many(letter))
    ]
    texts = [f" a{letter}b1{letter}2 {letter}{letter}" for letter in known]
    assert len(texts) > 30_000
    for start in range(0, len(texts), 10_000):
        some = texts[start : start + 10_000]
        assert ids_of(fast, some) == ids_of(library, some)


def test_random_texts_have_the_same_ids(library: LibraryEncoder, fast: FlatEncoder) -> None:
    numbers = random.Random(11)
    texts = [random_text(numbers, 40) for _ in range(5_000)]
    texts += ["".join(numbers.choice(PIECES + CONTROL_TEXTS) for _ in range(200)) for _ in range(100)]
    texts += ["".join(map(chr, numbers.choices(range(0x20, 0xD800), k=40))) for _ in range(2_000)]
    assert ids_of(fast, texts) == ids_of(library, texts)
    assert [fast.encode(text) for text in texts[:500]] == [library.encode(text) for text in texts[:500]]


@pytest.mark.parametrize("letters", ["a", "ab", "衣", "!", "\u0301", "e\u0301", "\n", " \n", "0", "'s"])
def test_long_runs_have_the_same_ids(library: LibraryEncoder, fast: FlatEncoder, letters: str) -> None:
    texts = [letters * 20_000, f"x {letters * 199} y", letters]
    assert ids_of(fast, texts) == ids_of(library, texts)


@pytest.mark.parametrize("length", [2, 200, 5_000, 1_000_000])
def test_white_space_without_end_has_the_same_ids(library: LibraryEncoder, fast: FlatEncoder, length: int) -> None:
    text = f"a{' ' * length}b"
    assert ids_of(fast, ["x", text]) == [library.encode("x"), library.encode(text)]


def test_no_texts_and_empty_texts(fast: FlatEncoder) -> None:
    assert ids_of(fast, []) == []
    assert ids_of(fast, [""]) == [[]]
    assert ids_of(fast, ["", "yes", ""]) == [[], fast.encode("yes"), []]


def test_nobody_waits_until_the_fast_library_has_read_the_definition(
    definition: dict[str, Any], library: LibraryEncoder
) -> None:
    encoder = FlatEncoder(definition, library)
    unread: Future[Any] = Future()
    encoder._read = unread
    assert encoder.encode("yes, 健身") == library.encode("yes, 健身")
    assert ids_of(encoder, ["yes", "no"]) == ids_of(library, ["yes", "no"])


def test_what_the_fast_library_can_not_read_is_encoded_by_the_other(definition: dict[str, Any]) -> None:
    words = {"type": "WordLevel", "vocab": {"yes": 0, "no": 1, "?": 2}, "unk_token": "?"}
    other = {**definition, "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "model": words}
    chosen = choose_encoder(other)
    assert isinstance(chosen, FlatEncoder)
    with pytest.raises(ValueError, match="Whitespace"):
        chosen._read.result()
    assert chosen.encode("no yes") == [1, 0]
    assert ids_of(chosen, ["no", "yes no"]) == [[1], [0, 1]]


def test_what_no_library_can_read_is_refused_at_once(definition: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="variant"):
        choose_encoder({**definition, "model": {"type": "Nonsense"}})
