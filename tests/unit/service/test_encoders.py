"""The fast encoder gives the ids of the library that the checkpoint's tokenizer.json was written for, for any text."""

import json
import random
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from tests.unit.service.test_prompts import CONTROL_TEXTS, PIECES, random_text

from reranker_service.scoring.encoders import (
    BETWEEN,
    Encoder,
    LibraryEncoder,
    MergesEncoder,
    choose_encoder,
)


@pytest.fixture(scope="module")
def definition(tokenizer_json: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(tokenizer_json.read_text())
    return read


@pytest.fixture(scope="module")
def library(definition: dict[str, Any]) -> LibraryEncoder:
    return LibraryEncoder(definition)


@pytest.fixture(scope="module")
def merges(definition: dict[str, Any], library: LibraryEncoder) -> MergesEncoder:
    return MergesEncoder(definition, library)


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
    assert isinstance(choose_encoder(definition), MergesEncoder)


def test_every_character_is_cut_and_merged_alike(library: LibraryEncoder, merges: MergesEncoder) -> None:
    # Which characters are letters, digits and white space is decided by tables of the libraries' own, which may be of
    # different editions of Unicode: those that Python's table does not know yet may differ.
    known = [
        letter
        for letter in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(letter) not in ("Cn", "Cs", "Co") and (ord(letter) % 32 == 0 or not many(letter))
    ]
    texts = [f" a{letter}b1{letter}2 {letter}{letter}" for letter in known]
    assert len(texts) > 40_000
    for start in range(0, len(texts), 10_000):
        some = texts[start : start + 10_000]
        assert ids_of(merges, some) == ids_of(library, some)


def test_random_texts_have_the_same_ids(library: LibraryEncoder, merges: MergesEncoder) -> None:
    numbers = random.Random(11)
    texts = [random_text(numbers, 40) for _ in range(5_000)]
    texts += ["".join(numbers.choice(PIECES + CONTROL_TEXTS) for _ in range(200)) for _ in range(100)]
    texts += ["".join(map(chr, numbers.choices(range(0x20, 0xD800), k=40))) for _ in range(2_000)]
    assert ids_of(merges, texts) == ids_of(library, texts)
    assert [merges.encode(text) for text in texts[:500]] == [library.encode(text) for text in texts[:500]]


@pytest.mark.parametrize("letters", ["a", "ab", "衣", "!", "\u0301", "e\u0301", "\n", " \n", "0", "'s"])
def test_long_runs_have_the_same_ids(library: LibraryEncoder, merges: MergesEncoder, letters: str) -> None:
    texts = [letters * 20_000, f"x {letters * 199} y", letters]
    assert ids_of(merges, texts) == ids_of(library, texts)


@pytest.mark.parametrize("length", [199, 200, 201, 1_000_000])
def test_white_space_that_the_fast_library_fails_at_is_left_to_the_other(
    library: LibraryEncoder, merges: MergesEncoder, length: int
) -> None:
    text = f"a{' ' * length}b"
    assert merges.encode(text) == library.encode(text)
    assert ids_of(merges, ["x", text]) == [library.encode("x"), library.encode(text)]


def test_a_text_that_spells_what_stands_between_texts_stays_one_text(
    library: LibraryEncoder, merges: MergesEncoder
) -> None:
    texts = [f"a{BETWEEN}b", BETWEEN, "c"]
    assert ids_of(merges, texts) == [library.encode(text) for text in texts]
    assert merges.encode(texts[0]) == library.encode(texts[0])


def test_no_texts_and_empty_texts(merges: MergesEncoder) -> None:
    assert ids_of(merges, []) == []
    assert ids_of(merges, [""]) == [[]]
    assert ids_of(merges, ["", "yes", ""]) == [[], merges.encode("yes"), []]


def changed(definition: dict[str, Any], part: str, **changes: Any) -> dict[str, Any]:
    return {**definition, part: {**(definition[part] or {}), **changes}}


def test_what_the_fast_library_can_not_say_is_left_to_the_other(definition: dict[str, Any]) -> None:
    split, levels = definition["pre_tokenizer"]["pretokenizers"]
    cuts_again = {**levels, "use_regex": True}
    vocabulary = dict(definition["model"]["vocab"])
    vocabulary["yes"], vocabulary["no"] = vocabulary["no"], vocabulary["yes"]
    others = {
        "another normalizer": changed(definition, "normalizer", type="NFKC"),
        "words cut twice": changed(definition, "pre_tokenizer", pretokenizers=[split, cuts_again]),
        "a split that drops": changed(
            definition, "pre_tokenizer", pretokenizers=[{**split, "behavior": "Removed"}, levels]
        ),
        "no split": changed(definition, "pre_tokenizer", pretokenizers=[levels]),
        "whole words first": changed(definition, "model", ignore_merges=True),
        "ids in another order": changed(definition, "model", vocab=vocabulary),
        "chance": changed(definition, "model", dropout=0.5),
    }
    for name, other in others.items():
        assert isinstance(choose_encoder(other), LibraryEncoder), name
