"""The flags that measure, shared by `run` and `matrix`.

Those of the method keep the names, defaults and meaning of the script that the method comes from.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from reranker_bench.argument_types import (
    above_zero,
    not_negative,
    positive,
    seconds,
    seconds_or_none,
    sizes,
    text,
    url,
)
from reranker_bench.dialects import DIALECTS
from reranker_bench.titles import BUILT_IN_COUNT

# A text, since the class is generic for type checkers only; argparse has no public name for it.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
Execute = Callable[[argparse.Namespace], int]

DEFAULT_DOCUMENTS = "100,200,400,600,800,1000"
DEFAULT_QUERY = "健身女生T恤短袖"
DEFAULT_URL = "http://127.0.0.1:8000"
KEY_VARIABLE = "RERANKER_API_KEY"

METHOD = (
    "Warm up (3 requests of 400 documents, not timed), then time 5 requests for each number of documents: wall time of "
    "POST /rerank as the client sees it, in ms. Every request carries titles that no other request of the run had. A "
    "lost sample (no answer, not status 200, or an answer that does not rank every document once) is counted, shown "
    "and never sent again."
)


class _Asked(argparse.Action):
    """A URL and the numbers of documents, each once at most and in either order."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Sort them by what they are."""
        del option_string
        for name, kind in (("url", str), ("documents", tuple)):
            given = [value for value in values if isinstance(value, kind)]
            if len(given) > 1:
                parser.error(f"{'one URL' if kind is str else 'the numbers of documents in one word, N,N,...'}, please")
            if given:
                setattr(namespace, name, given[0])


def add_asked(command: argparse.ArgumentParser) -> None:
    """The server's URL and the numbers of documents, both of which may be left out."""
    command.add_argument(
        "asked",
        nargs="*",
        type=lambda value: url(value) if "://" in value else sizes(value),
        action=_Asked,
        metavar="[URL] N,N,...",
        help=f"the server (or --url), and numbers of documents a request, in this order (default {DEFAULT_DOCUMENTS})",
    )
    command.set_defaults(documents=sizes(DEFAULT_DOCUMENTS))


def add_sizes(command: argparse.ArgumentParser) -> None:
    """The numbers of documents alone."""
    command.add_argument(
        "documents",
        nargs="?",
        type=sizes,
        default=DEFAULT_DOCUMENTS,
        metavar="N,N,...",
        help=f"numbers of documents a request, in this order (default {DEFAULT_DOCUMENTS})",
    )


def add_method(command: argparse.ArgumentParser) -> None:
    """How it is measured."""
    method = command.add_argument_group("method")
    method.add_argument("--repeat", type=positive, default=5, metavar="N", help="timed requests a size (default 5)")
    method.add_argument("--seed", type=int, default=99, help="of the draws: equal seeds, equal requests (default 99)")
    method.add_argument("--query", type=text, default=DEFAULT_QUERY, help="(default %(default)s)")
    method.add_argument(
        "--titles",
        type=Path,
        metavar="FILE",
        help=f"one title a line, UTF-8 (default: {BUILT_IN_COUNT} built in, more where a run needs them)",
    )
    method.add_argument(
        "--warmup-requests", type=not_negative, default=3, metavar="N", help="requests not timed, first (default 3)"
    )
    method.add_argument("--warmup-documents", type=positive, default=400, metavar="N", help="of each (default 400)")

    load = command.add_argument_group("load (default: one request after another)")
    load.add_argument("--concurrency", type=positive, metavar="N", help="most requests under way at once")
    load.add_argument(
        "--rate",
        type=above_zero,
        metavar="PER_SECOND",
        help="open loop: so many requests a second, whatever the server does; latency counts from when one was due",
    )
    load.add_argument(
        "--arrivals",
        choices=("poisson", "even"),
        default="poisson",
        help="of the open loop: independent of one another, or evenly spaced (default poisson)",
    )
    load.add_argument(
        "--duration", type=seconds, metavar="SECONDS", help="send for so long a size, instead of --repeat requests"
    )


def add_server(command: argparse.ArgumentParser) -> None:
    """What is measured, and how it is reached."""
    server = command.add_argument_group("server")
    server.add_argument("--url", type=url, default=DEFAULT_URL, help="its base (default %(default)s)")
    known = ", ".join(f"{dialect.name} ({dialect.path}, {dialect.what})" for dialect in DIALECTS.values())
    server.add_argument("--dialect", choices=tuple(DIALECTS), default="rerank", help=f"one of {known}; default rerank")
    server.add_argument("--model", type=text, metavar="NAME", help="sent with dialects that name it (default: ask)")
    server.add_argument(
        "--timeout", type=seconds, default=360.0, metavar="SECONDS", help="of one request (default 360)"
    )
    add_key(server)
    server.add_argument("--gpu", metavar="NAME", help="the server's GPU, where neither it nor nvidia-smi here says")
    server.add_argument("--image", metavar="REFERENCE", help="the server's image, kept in the results")


def add_wait(command: argparse.ArgumentParser) -> None:
    """What the server has to be before it is measured."""
    wait = command.add_argument_group("before the first request")
    wait.add_argument(
        "--wait",
        type=seconds_or_none,
        default=0.0,
        metavar="SECONDS",
        help="wait this long for /health to be ready and as expected (default 0: look once)",
    )
    wait.add_argument("--expect-backend", metavar="NAME", help="measure only when /health says this backend")
    wait.add_argument("--expect-instruction-format", metavar="NAME", help="... and this instruction format")


def add_key(command: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """The server's API key."""
    key = command.add_mutually_exclusive_group()
    key.add_argument("--api-key", metavar="KEY", help=f"sent as Bearer token (better: {KEY_VARIABLE}, or the file)")
    key.add_argument("--api-key-file", type=Path, metavar="FILE", help="its first line is the key")


def headers_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The headers that carry the API key; none without one.

    Raises:
        ValueError: if the key can't be read, or can't stand in a header.
    """
    key = arguments.api_key
    if arguments.api_key_file is not None:
        try:
            lines = arguments.api_key_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"can't read the API key from {arguments.api_key_file}: {error}") from error
        key = lines[0].strip() if lines else ""
        if not key:
            raise ValueError(f"{arguments.api_key_file} holds no API key in its first line")
    if key is None:
        key = os.environ.get(KEY_VARIABLE)
    if not key:
        return {}
    if not (key.isascii() and key.isprintable()):
        raise ValueError("the API key holds characters that can't stand in a header")
    return {"Authorization": f"Bearer {key}"}


def add_output(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What comes out, for `run` and `matrix` alike."""
    output = command.add_argument_group("output")
    output.add_argument("--tag", default="", help="a name for this run, kept in the results")
    output.add_argument("--quiet-runs", action="store_true", help="no line for each request")
    output.add_argument(
        "--allow-errors", action="store_true", help="lost samples are counted and shown, but the exit status stays 0"
    )
    return output
