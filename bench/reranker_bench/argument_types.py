"""What a value on the command line may be; a wrong one is refused with a message that says what is wrong with it."""

from __future__ import annotations

import argparse
import math
from urllib.parse import urlsplit


def sizes(value: str) -> tuple[int, ...]:
    """`100,200` as numbers, each positive and there once."""
    numbers = tuple(positive(part) for part in value.split(","))
    if len(set(numbers)) != len(numbers):
        raise argparse.ArgumentTypeError(f"a number is there twice in {value!r}")
    return numbers


def positive(value: str) -> int:
    """A whole number from 1."""
    number = _whole(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value!r}")
    return number


def not_negative(value: str) -> int:
    """A whole number from 0."""
    number = _whole(value)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must not be negative: {value!r}")
    return number


def seconds(value: str) -> float:
    """A finite time above 0."""
    number = seconds_or_none(value)
    if number == 0:
        raise argparse.ArgumentTypeError("must be more than 0 seconds")
    return number


def seconds_or_none(value: str) -> float:
    """A finite time from 0."""
    try:
        number = float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {value!r}") from error
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"not a time in seconds: {value!r}")
    return number


def text(value: str) -> str:
    """A text that can be sent: the command line may hold bytes that aren't any."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError("is not valid text in this locale's encoding") from error
    return value


def url(value: str) -> str:
    """A base URL, without the path of an endpoint."""
    try:
        parsed = urlsplit(value)
        parsed.port  # noqa: B018 - a port that isn't one is found out only when asked for
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a URL: {value!r} ({error})") from error
    if parsed.scheme not in {"http", "https"} or not parsed.hostname:
        raise argparse.ArgumentTypeError(f"must be like http://host:8000, not {value!r}")
    if parsed.query or parsed.fragment or parsed.path.rstrip("/").endswith(("/rerank", "/score")):
        raise argparse.ArgumentTypeError(f"give the server's base, without /rerank or a query: {value!r}")
    return value.rstrip("/")


def above_zero(value: str) -> float:
    """A finite number above 0."""
    try:
        number = float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a number: {value!r}") from error
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"must be above 0: {value!r}")
    return number


def percent(value: str) -> float:
    """`5%` or `5`, as 5.0."""
    try:
        number = float(value.removesuffix("%"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a percentage: {value!r}") from error
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"must not be negative: {value!r}")
    return number


def confidence(value: str) -> float:
    """`95%` or `95`, as 0.95."""
    number = percent(value)
    if not 50 <= number < 100:
        raise argparse.ArgumentTypeError(f"must be from 50% to below 100%: {value!r}")
    return number / 100


def names(value: str) -> tuple[str, ...]:
    """`a,b` as names, each there once."""
    found = tuple(part.strip() for part in value.split(","))
    if not all(found) or len(set(found)) != len(found):
        raise argparse.ArgumentTypeError(f"must be names with commas between them, each once: {value!r}")
    return found


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a whole number: {value!r}") from error
