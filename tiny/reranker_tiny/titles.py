"""Writes combinations out as queries and product titles, in the loose word order that shops and shoppers use. Pure.

Each text comes with marks that say which characters state which attribute: training uses them to teach words.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

from reranker_tiny import vocabulary as words
from reranker_tiny.catalogue import GROUP, OPEN, Combination, group_of, invent
from reranker_tiny.vocabulary import Language

_TABLES: Final = {
    "gender": words.GENDERS,
    "season": words.SEASONS,
    "style": words.STYLES,
    "colour": words.COLOURS,
    "sleeve": words.SLEEVES,
}
_ATTRIBUTES: Final = ("brand", *_TABLES)
# English puts these behind the noun: "t-shirt for men".
_BEHIND: Final = ("for ", "unisex")


@dataclass(frozen=True)
class Part:
    """A word or phrase, the attribute it states, if any, and whether it is in no table."""

    text: str
    attribute: str | None = None
    invented: bool = False


@dataclass(frozen=True)
class Text:
    """A query or title.

    Attributes:
        text: what is read.
        marks: where it states which attribute: (attribute, first character, end).
        invented: whether a word of it is in no table.
    """

    text: str
    marks: tuple[tuple[str, int, int], ...]
    invented: bool = False


# What stays together: 女鞋 is one unit of two parts.
Unit: TypeAlias = tuple[Part, ...]


def write_query(query: Combination, rng: random.Random, language: Language) -> Text:
    """The query as a shopper may type it: 健身女生T恤短袖, "women's gym t-shirt short sleeve"."""
    noun = _noun(query, rng, language)
    stated = [name for name in _ATTRIBUTES if query.value(name) is not None]
    units = [_word(query, name, rng, language) for name in stated]
    short = words.GENDER_PREFIXES.get(query.gender or "")
    if language == "zh" and noun and short and rng.random() < 0.25:
        units[stated.index("gender")] = (Part(short, "gender"),)
        suffix = words.GROUP_SUFFIXES.get((query.category or "").removeprefix(GROUP))
        if suffix:  # the key is a group's: 女鞋
            del units[stated.index("gender")]
            noun = (Part(short, "gender"), Part(suffix, "category"))
    rng.shuffle(units)
    if noun:
        # The noun mostly comes last; in Chinese, things like 短袖 often follow it.
        units.insert(len(units) if rng.random() < 0.6 else rng.randint(0, len(units)), noun)
    if language == "zh":
        gap = rng.choice(("", "", " "))
        return _join(units, [gap] * len(units))
    if rng.random() < 0.6:
        units.sort(key=lambda unit: unit[0].text.startswith(_BEHIND))
    if rng.random() < 0.6:
        units = [_cased(unit, str.lower) for unit in units]
    return _join(units, [" "] * len(units))


def write_title(product: Combination, rng: random.Random, language: Language) -> Text:
    """The product as a shop may call it: attributes, some twice in other words, among words that say nothing."""
    attributes = [_word(product, name, rng, language) for name in _TABLES if product.value(name) is not None]
    if product.style is not None and rng.random() < 0.2:
        attributes.append(_word(product, "style", rng, language))
    short = words.GENDER_PREFIXES.get(product.gender or "")
    if language == "zh" and short and rng.random() < 0.2:
        suffix = (words.GROUP_SUFFIXES | words.CLOTHES_SUFFIXES).get(_group(product))
        attributes.append((Part(short, "gender"), *([Part(suffix)] if suffix else [])))
    fillers = rng.sample(words.FILLERS.of(language), rng.choice((0, 1, 1, 2, 2, 3)))
    front = [*attributes, *((Part(filler),) for filler in fillers)]
    if rng.random() < 0.1:
        front.append((Part(invent(rng, language), invented=True),))
    rng.shuffle(front)
    behind: list[Unit] = []
    while front and rng.random() < 0.35:
        behind.append(front.pop())
    units = [*front, _noun(product, rng, language), *behind, *_extras(product, rng, language)]
    if product.brand is not None:
        units.insert(0 if rng.random() < 0.85 else len(units), _word(product, "brand", rng, language))
    return _join_chinese(units, rng) if language == "zh" else _join_english(units, rng)


def _group(product: Combination) -> str:
    assert product.category is not None  # noqa: S101 - a product always has one
    return group_of(product.category)


def _noun(combination: Combination, rng: random.Random, language: Language) -> Unit:
    key = combination.category
    if key is None:
        return ()
    if key.startswith(OPEN):
        return (Part(key.removeprefix(OPEN).lower(), "category", invented=True),)
    names = words.GROUPS[key.removeprefix(GROUP)] if key.startswith(GROUP) else words.CATEGORIES[key].words
    choices = names.of(language)
    return (Part(choices[0] if rng.random() < 0.35 else rng.choice(choices), "category"),)


def _word(combination: Combination, attribute: str, rng: random.Random, language: Language) -> Unit:
    value = combination.value(attribute)
    assert value is not None  # noqa: S101 - asked only for attributes that are there
    if attribute != "brand":
        return (Part(rng.choice(_TABLES[attribute][value].of(language)), attribute),)
    if value.startswith(OPEN):
        return (Part(value.removeprefix(OPEN), attribute, invented=True),)
    brand = words.BRANDS[value]
    return (Part(rng.choice(brand.zh if language == "zh" and rng.random() < 0.75 else brand.en), attribute),)


def _extras(product: Combination, rng: random.Random, language: Language) -> list[Unit]:
    """Now and then behind the noun: another name for it, the broader word, or what it goes with."""
    extras: list[Unit] = []
    if rng.random() < 0.12:
        extras.append(_noun(product, rng, language))
    broader = words.GROUPS.get(_group(product))
    if broader and rng.random() < 0.08:
        extras.append((Part(rng.choice(broader.of(language))),))
    if rng.random() < 0.06:
        others = [category for category in words.CATEGORIES.values() if category.group != _group(product)]
        name = rng.choice(rng.choice(others).words.of(language))
        extras.append((Part(rng.choice(words.COMPANIONS.of(language)).format(name)),))
    return extras


def _join_chinese(units: list[Unit], rng: random.Random) -> Text:
    spaces = rng.choice((0.0, 0.2, 0.5, 1.0))
    gaps = []
    for before, unit in pairwise(units):
        latin = before[-1].text[-1].isascii() and unit[0].text[0].isascii()
        gaps.append(" " if latin or rng.random() < spaces else "")
    return _join(units, gaps)


def _join_english(units: list[Unit], rng: random.Random) -> Text:
    style = rng.random()
    if style < 0.1:
        units = [_cased(unit, str.upper) for unit in units]
    elif style < 0.6:
        units = [_cased(unit, _title_case) for unit in units]
    return _join(units, [", " if rng.random() < 0.15 else " " for _ in units])


def _join(units: list[Unit], gaps: list[str]) -> Text:
    """The units' text, `gaps[i]` behind unit i, and the marks."""
    text, marks = "", []
    for index, unit in enumerate(units):
        for part in unit:
            if part.attribute is not None:
                marks.append((part.attribute, len(text), len(text) + len(part.text)))
            text += part.text
        text += gaps[index] if index + 1 < len(units) else ""
    return Text(text, tuple(marks), any(part.invented for unit in units for part in unit))


def _cased(unit: Unit, change: Callable[[str], str]) -> Unit:
    return tuple(replace(part, text=change(part.text)) for part in unit)


def _title_case(text: str) -> str:
    """Each word with a capital, but "'s" as it is (str.title would write Men'S)."""
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))
