"""The flags of each command.

Those of `run` keep the names, defaults and meaning of the script that the method comes from.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from reranker_bench.titles import BUILT_IN_COUNT, BUILT_IN_SEED

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it
Execute = Callable[[argparse.Namespace], int]

DEFAULT_DOCUMENTS = "100,200,400,600,800,1000"
DEFAULT_QUERY = "健身女生T恤短袖"
DEFAULT_URL = "http://127.0.0.1:8000"


def add_run(commands: Commands, execute: Execute) -> None:
    """The flags of `run`."""
    command = commands.add_parser("run", help="warm up, time the requests, print the table", description=run_help())
    command.set_defaults(command=execute)
    command.add_argument(
        "documents",
        nargs="?",
        type=sizes,
        default=DEFAULT_DOCUMENTS,
        metavar="N,N,...",
        help=f"numbers of documents a request, in this order (default {DEFAULT_DOCUMENTS})",
    )
    method = command.add_argument_group("method")
    method.add_argument("--repeat", type=positive, default=5, metavar="N", help="timed requests a size (default 5)")
    method.add_argument("--seed", type=int, default=99, help="of the draws: equal seeds, equal requests (default 99)")
    method.add_argument("--query", type=text, default=DEFAULT_QUERY, help="(default %(default)s)")
    method.add_argument(
        "--titles",
        type=Path,
        metavar="FILE",
        help=f"one title a line, UTF-8 (default: {BUILT_IN_COUNT} built in, see the command `titles`)",
    )
    method.add_argument(
        "--warmup-requests", type=not_negative, default=3, metavar="N", help="requests not timed, first (default 3)"
    )
    method.add_argument("--warmup-documents", type=positive, default=400, metavar="N", help="of each (default 400)")

    server = command.add_argument_group("server")
    server.add_argument("--url", type=url, default=DEFAULT_URL, help="its base (default %(default)s)")
    server.add_argument(
        "--timeout", type=seconds, default=360.0, metavar="SECONDS", help="of one request (default 360)"
    )
    server.add_argument(
        "--wait",
        type=seconds_or_none,
        default=0.0,
        metavar="SECONDS",
        help="wait this long for /health to be ready and as expected (default 0: look once)",
    )
    server.add_argument("--expect-backend", metavar="NAME", help="measure only when /health says this backend")
    server.add_argument("--expect-instruction-format", metavar="NAME", help="... and this instruction format")

    output = command.add_argument_group("output")
    output.add_argument("--tag", default="", help="a name for this run, kept in the results")
    output.add_argument("--json-summary-out", type=Path, metavar="FILE", help="write the results with all raw times")
    output.add_argument("--quiet-runs", action="store_true", help="no line for each request")
    output.add_argument(
        "--allow-errors", action="store_true", help="lost samples are counted and shown, but the exit status stays 0"
    )
    output.add_argument(
        "--termination-log",
        type=Path,
        metavar="FILE",
        help="write one line of JSON, at most 4096 bytes, there (in a Pod: /dev/termination-log)",
    )


def add_titles(commands: Commands, execute: Execute) -> None:
    """The flags of `titles`."""
    summary = "write made-up product titles, one a line; the same count and seed give the same titles everywhere"
    command = commands.add_parser("titles", help="write made-up product titles", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("--output", type=Path, metavar="FILE", help="(default: stdout)")
    command.add_argument("--count", type=positive, default=BUILT_IN_COUNT, metavar="N", help="(default %(default)s)")
    command.add_argument("--seed", type=int, default=BUILT_IN_SEED, help="(default %(default)s)")


def run_help() -> str:
    """What `run --help` says first."""
    return (
        "Warm up (3 requests of 400 documents, not timed), then time 5 requests for each number of documents: wall "
        "time of POST /rerank as the client sees it, in ms. Every request carries titles that no other request of the "
        "run had. A lost sample (no answer, not status 200, or an answer that does not rank every document once) is "
        "counted, shown and never sent again."
    )


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
        parsed = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise argparse.ArgumentTypeError(f"not a URL: {value!r} ({error})") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise argparse.ArgumentTypeError(f"must be like http://host:8000, not {value!r}")
    if parsed.query or parsed.fragment or parsed.path.rstrip("/").endswith("/rerank"):
        raise argparse.ArgumentTypeError(f"give the server's base, without /rerank or a query: {value!r}")
    return value.rstrip("/")


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a whole number: {value!r}") from error
