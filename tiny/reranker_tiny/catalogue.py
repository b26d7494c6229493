"""Made-up products and queries as combinations of attributes: how they are drawn, split and judged. Pure.

A combination belongs to the training half or to the held-out half by its hash alone, whether it is asked for or
offered, so that nothing the evaluation uses was ever trained on, whatever the seed.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Final, Literal, TypeAlias

from reranker_tiny import vocabulary as words
from reranker_tiny.vocabulary import Language

Match: TypeAlias = Literal["match", "open", "clash"]
Relation: TypeAlias = Literal["full", "near", "far", "gender", "sibling", "confusable", "other"]

HELD_OUT_ONE_IN: Final = 10
# Begins a brand or category that is in no table: an invented word, of which only the spelling can be compared.
OPEN: Final = "?"
# Begins a category that is a whole group.
GROUP: Final = "group:"
MINOR: Final = ("season", "style", "colour", "brand", "sleeve")
# What a clash costs; an attribute the title leaves open costs half. The instruction puts style first.
COST: Final[Mapping[str, int]] = {"gender": 4, "season": 2, "style": 4, "colour": 2, "brand": 2, "sleeve": 2}
MAX_LEVEL: Final = 4
# The probability that a level is trained towards: sure at both ends, spread out between them.
LEVEL_TARGETS: Final = (0.02, 0.10, 0.40, 0.78, 0.97)

VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "category": (*words.CATEGORIES, *(GROUP + group for group in words.GROUPS)),
    "gender": tuple(words.GENDERS),
    "season": tuple(words.SEASONS),
    "style": tuple(words.STYLES),
    "colour": tuple(words.COLOURS),
    "brand": tuple(words.BRANDS),
    "sleeve": tuple(words.SLEEVES),
}
_ASKED: Final = {"gender": 0.6, "season": 0.25, "style": 0.45, "colour": 0.25, "brand": 0.2, "sleeve": 0.45}
_OFFERED: Final = {"gender": 0.8, "season": 0.5, "style": 0.6, "colour": 0.6, "brand": 0.75, "sleeve": 0.8}


@dataclass(frozen=True)
class Combination:
    """The attribute values of a query or a product; None where it says nothing.

    `category` is a key of vocabulary.CATEGORIES, or GROUP and a key of vocabulary.GROUPS, or OPEN and an invented
    word. `brand` is a key of vocabulary.BRANDS, or OPEN and an invented word.
    """

    category: str | None = None
    gender: str | None = None
    season: str | None = None
    style: str | None = None
    colour: str | None = None
    brand: str | None = None
    sleeve: str | None = None

    def value(self, attribute: str) -> str | None:
        """The value of one attribute by its name."""
        found: str | None = getattr(self, attribute)
        return found

    def held_out(self) -> bool:
        """Whether this combination is kept from training."""
        text = "|".join(f"{field.name}={self.value(field.name)}" for field in fields(self))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % HELD_OUT_ONE_IN == 0


def matches(query: Combination, product: Combination) -> dict[str, Match]:
    """How the product meets each attribute that the query asks for, but the category."""
    return {
        attribute: _match(attribute, asked, product)
        for attribute in COST
        if (asked := query.value(attribute)) is not None
    }


def kinship(query: Combination, product: Combination) -> Match:
    """match: the category (or one of the group) asked for; open: a related or a vaguer one; clash: another one."""
    if query.category is None or query.category == product.category:
        return "match"
    assert product.category is not None  # noqa: S101 - a product always has one
    if group_of(query.category) != group_of(product.category):
        return "clash"
    return "match" if query.category.startswith(GROUP) else "open"


def group_of(category: str) -> str:
    """The group a category belongs to; an invented one is a group of its own."""
    known = words.CATEGORIES.get(category)
    return known.group if known else category.removeprefix(GROUP)


@cache
def genders_of(category: str) -> tuple[str, ...]:
    """Whom things of this category are made for."""
    members = [known.genders for key, known in words.CATEGORIES.items() if category in (key, GROUP + known.group)]
    return tuple(gender for gender in ("men", "women", "kids") if not members or any(gender in m for m in members))


def level(query: Combination, product: Combination) -> int:
    """Graded relevance, 0 to MAX_LEVEL.

    4: all that was asked for. 3: one minor thing is missing. 2: the right category, but more is missing. 1: the right
    category for the wrong people, or a related category. 0: another category, or nothing asked for is met.
    """
    found = matches(query, product)
    wrong_gender = found.get("gender") == "clash"
    kin = kinship(query, product)
    if kin == "clash" or (kin == "open" and wrong_gender):
        return 0
    if kin == "open":
        return 1
    if wrong_gender:
        return 1 if query.category is not None else 0
    missing = sum(COST[name] // (1 if how == "clash" else 2) for name, how in found.items() if how != "match")
    if missing == 0:
        return MAX_LEVEL
    if query.category is None and all(how == "clash" for how in found.values()):
        return 0
    return 3 if missing <= 2 else 2


def _match(attribute: str, asked: str, product: Combination) -> Match:
    offered = product.value(attribute)
    if offered is None and attribute == "style" and product.category in words.CATEGORIES:
        offered = words.CATEGORIES[product.category].style
    if offered is None:
        return "open"
    if asked == offered or (attribute == "gender" and offered == "unisex"):
        return "match"
    if attribute == "season" and set(asked.split("+")) <= set(offered.split("+")):
        return "match"
    return "clash"


def draw_query(rng: random.Random, language: Language, *, held_out: bool) -> Combination:
    """A query's combination from the wanted half: mostly a category, and up to four other attributes."""
    while True:
        category = None
        if rng.random() < 0.93:
            category = _any_category(rng, language, groups=0.2, invented=0.04)
        asked = [name for name, share in _ASKED.items() if rng.random() < share and _sensible(name, category)]
        rng.shuffle(asked)
        values = {name: _draw_value(rng, name, category, language) for name in asked[:4]}
        query = Combination(category=category, **values)
        if query != Combination() and query.gender != "unisex" and query.held_out() == held_out:
            return query


def draw_product(
    rng: random.Random, query: Combination, relation: Relation, language: Language, *, held_out: bool
) -> Combination:
    """A product that stands in `relation` to the query, from the wanted half.

    full: all that is asked for; near: one or two attributes differ or are left open; far: most differ; gender: for
    other people; sibling, confusable (shares words in `language`), other: of such a category, the rest mostly as asked.
    """
    for _ in range(400):
        product = _attempt(rng, query, relation, language)
        if product.held_out() == held_out:
            return product
    # A query that leaves no freedom (rare): any product of the wanted half is still judged rightly.
    while (product := _attempt(rng, query, "other", language)).held_out() != held_out:
        pass
    return product


def _attempt(rng: random.Random, query: Combination, relation: Relation, language: Language) -> Combination:
    category = _draw_category(rng, query, relation, language)
    values: dict[str, str | None] = {}
    for name, share in _OFFERED.items():
        asked = query.value(name)
        if asked is not None and (name != "gender" or asked in genders_of(category)):
            values[name] = _wider(rng, name, asked)
        elif rng.random() < share and _sensible(name, category):
            values[name] = _draw_value(rng, name, category, language)
    asked_for = [name for name in (*MINOR, "gender") if query.value(name) is not None]
    rng.shuffle(asked_for)
    for name in ["gender"] if relation == "gender" else asked_for[: _changes(rng, relation)]:
        clash = _sensible(name, category) and (relation == "gender" or rng.random() < 0.6)
        values[name] = _draw_other(rng, name, query.value(name), category, language) if clash else None
    return Combination(category=category, **values)


def _changes(rng: random.Random, relation: Relation) -> int:
    """How many of the attributes asked for a product in this relation does not meet."""
    choices: Mapping[Relation, tuple[int, ...]] = {
        "near": (1, 1, 2),
        "far": (2, 3, 4),
        "sibling": (0, 0, 1),
        "confusable": (0, 0, 1),
        "other": (0, 1, 2),
    }
    return rng.choice(choices.get(relation, (0,)))


def _draw_category(rng: random.Random, query: Combination, relation: Relation, language: Language) -> str:
    asked = query.category
    if asked is None:
        return _any_category(rng, language, groups=0.05, invented=0.05)
    if relation in ("sibling", "confusable"):
        pool = _siblings(asked) if relation == "sibling" else confusable(asked, language)
        if pool:
            return _fitting(rng, pool, query.gender)
    if relation in ("sibling", "confusable", "other"):
        while group_of(other := _any_category(rng, language, groups=0.08, invented=0.08)) == group_of(asked):
            pass
        return other
    if asked.startswith(GROUP) and rng.random() < 0.9:
        return _fitting(rng, [key for key in words.CATEGORIES if group_of(key) == group_of(asked)], query.gender)
    return asked


def _any_category(rng: random.Random, language: Language, *, groups: float, invented: float) -> str:
    draw = rng.random()
    if draw < invented:
        return OPEN + invent(rng, language)
    return GROUP + rng.choice(list(words.GROUPS)) if draw < invented + groups else rng.choice(list(words.CATEGORIES))


def _siblings(asked: str) -> list[str]:
    """What is related to a category but not it; nothing for a group, whose members all match."""
    if asked.startswith(GROUP):
        return []
    vague = [GROUP + group_of(asked)] if group_of(asked) in words.GROUPS else []
    return [key for key in words.CATEGORIES if key != asked and group_of(key) == group_of(asked)] + vague


def _fitting(rng: random.Random, pool: Sequence[str], gender: str | None) -> str:
    fitting = [key for key in pool if gender is None or gender in genders_of(key)]
    return rng.choice(fitting or list(pool))


@cache
def confusable(category: str, language: Language) -> tuple[str, ...]:
    """The categories of other groups whose names share a part with this one's.

    A part is two characters or the last one in Chinese, a word in English.
    """
    asked = words.GROUPS.get(category.removeprefix(GROUP)) or getattr(words.CATEGORIES.get(category), "words", None)
    if asked is None:
        return ()
    parts = _parts(asked, language)
    return tuple(
        key
        for key, other in words.CATEGORIES.items()
        if parts & _parts(other.words, language) and group_of(key) != group_of(category)
    )


def _parts(names: words.Words, language: Language) -> set[str]:
    if language == "en":
        return {part for name in names.en for part in name.replace("-", " ").split()}
    return {name[i : i + 2] for name in names.zh for i in range(len(name) - 1)} | {name[-1] for name in names.zh}


def _sensible(attribute: str, category: str | None) -> bool:
    if attribute != "sleeve" or category == GROUP + "tops":
        return True
    return category in words.CATEGORIES and words.CATEGORIES[category].sleeves


def _draw_value(rng: random.Random, attribute: str, category: str | None, language: Language) -> str:
    if attribute == "brand" and rng.random() < 0.25:
        return OPEN + invent(rng, language)
    if attribute == "gender" and category is not None:
        return rng.choice((*genders_of(category), "unisex"))
    return rng.choice(VALUES[attribute])


def _draw_other(rng: random.Random, attribute: str, asked: str | None, category: str, language: Language) -> str:
    while True:
        value = _draw_value(rng, attribute, category, language)
        if attribute == "gender":
            value = rng.choice(("men", "women", "kids"))  # whoever else it is for, even where that is unusual
        if value != asked:
            return value


def _wider(rng: random.Random, attribute: str, asked: str) -> str:
    """The value asked for, or now and then one that includes it."""
    if attribute == "gender" and rng.random() < 0.15:
        return "unisex"
    if attribute == "season" and rng.random() < 0.25:
        return rng.choice([key for key in words.SEASONS if set(asked.split("+")) <= set(key.split("+"))])
    return asked


def invent(rng: random.Random, language: Language) -> str:
    """A word that is in no table: "Vallan", "Falcon", or two or three Chinese characters that happen to meet."""
    if language == "zh" and rng.random() < 0.6:
        # The first level of GB 2312: the 3,755 most used characters, in rows 0xB0 to 0xD7 (the last one is not full).
        return "".join(
            bytes((rng.randint(0xB0, 0xD6), rng.randint(0xA1, 0xFE))).decode("gb2312")
            for _ in range(rng.choice((2, 2, 3)))
        )
    if rng.random() < 0.4:
        return rng.choice(words.WHOLE_WORDS).capitalize()
    return "".join(rng.sample(words.SYLLABLES, rng.choice((2, 2, 3)))).capitalize()
