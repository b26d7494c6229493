"""The product titles that a benchmark sends: made up here from a seed, or read from the user's file.

The built-in titles exist so that two people measure the same thing without handing a file around: the same seed and
count give the same titles on every machine and Python version.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reranker_bench import vocabulary as words

BUILT_IN_COUNT = 18_000
"""As many as the sweep 100..1000 with five runs and its warm-ups can use without one title coming twice (16,700)."""
BUILT_IN_SEED = 1
MOST = 200_000
"""More than the vocabulary can tell apart with ease are not made."""
CHINESE_SHARE = 0.75


class TitlesError(ValueError):
    """The titles can't be used; the message says why."""


@dataclass(frozen=True)
class Titles:
    """Distinct titles, and where they come from."""

    texts: tuple[str, ...]
    source: str
    """`built-in:<count>:<seed>`, or the file's path."""
    repeated: int = 0
    """Lines of the file that were left out since they stood there before: a server may score equal texts once."""

    @property
    def sha256(self) -> str:
        """What tells one set of titles from another in a results file."""
        return hashlib.sha256("\n".join(self.texts).encode()).hexdigest()


class _Chooser:
    """Choices that depend on `random()` alone, the one method whose sequence Python promises to keep."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"reranker-bench titles {seed}")

    def one(self, options: Sequence[str]) -> str:
        return options[int(self._random.random() * len(options))]

    def some(self, options: Sequence[str], least: int, most: int) -> list[str]:
        left = list(options)
        number = least + int(self._random.random() * (most - least + 1))
        return [left.pop(int(self._random.random() * len(left))) for _ in range(min(number, len(left)))]

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def category(self) -> words.Category:
        return words.CATEGORIES[int(self._random.random() * len(words.CATEGORIES))]


def generate(count: int = BUILT_IN_COUNT, seed: int = BUILT_IN_SEED) -> Titles:
    """Make `count` distinct titles, three quarters of them Chinese.

    Raises:
        TitlesError: if `count` is below 1 or above MOST.
    """
    if not 1 <= count <= MOST:
        raise TitlesError(f"from 1 to {MOST} titles can be made, not {count}")
    choose = _Chooser(seed)
    seen: dict[str, None] = {}
    while len(seen) < count:
        title = _chinese(choose) if choose.chance(CHINESE_SHARE) else _english(choose)
        seen.setdefault(title)
    return Titles(tuple(seen), source=f"built-in:{count}:{seed}")


def _chinese(choose: _Chooser) -> str:
    category = choose.category()
    head = choose.one(words.ZH_BRANDS) + " " if choose.chance(0.45) else ""
    when = (choose.one(words.YEARS) if choose.chance(0.4) else "") + (
        choose.one(words.ZH_SEASONS) if choose.chance(0.6) else ""
    )
    style = "".join(choose.some(words.ZH_STYLES, 1, 2))
    wearer = choose.one(words.ZH_WOMEN if category.women_only else words.ZH_WEARERS)
    features = "".join(choose.some(category.zh_features, 1, 3))
    name = choose.one(category.zh)
    tail = " " + "".join(choose.some(words.ZH_TAILS, 1, 2)) if choose.chance(0.5) else ""
    colour = " " + choose.one(words.ZH_COLOURS) if choose.chance(0.6) else ""
    middle = f"{style}{wearer}{features}{name}" if choose.chance(0.5) else f"{features}{name}{wearer}{style}"
    return f"{head}{when}{middle}{tail}{colour}"


def _english(choose: _Chooser) -> str:
    category = choose.category()
    parts = [choose.one(words.EN_BRANDS)] if choose.chance(0.5) else []
    parts.append(choose.one(words.EN_WOMEN if category.women_only else words.EN_WEARERS))
    if choose.chance(0.5):
        parts.append(choose.one(words.EN_STYLES))
    features = choose.some(category.en_features, 1, 3)
    parts += [features[0], choose.one(category.en)]
    details = features[1:]
    if choose.chance(0.35):
        details.append(f"{choose.one(words.EN_SEASONS)} {choose.one(words.YEARS)}")
    if choose.chance(0.6):
        details.append(choose.one(words.EN_COLOURS))
    if choose.chance(0.35):
        details.append(choose.one(words.EN_TAILS))
    return ", ".join([" ".join(parts), *details])


def read(path: Path) -> Titles:
    """Read a UTF-8 file with one title a line; blank lines don't count, and of equal lines the first one does.

    Raises:
        TitlesError: if the file can't be read, isn't UTF-8, or holds no title.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TitlesError(f"can't read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TitlesError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    # Not splitlines(): it also splits at form feeds and at U+2028, which listings carry inside a title.
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    distinct = tuple(dict.fromkeys(lines))
    if not distinct:
        raise TitlesError(f"{path} holds no title; it needs one title a line")
    return Titles(distinct, source=str(path), repeated=len(lines) - len(distinct))
