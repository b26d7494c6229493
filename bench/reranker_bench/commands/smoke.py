"""`reranker-bench smoke`: one small request in each dialect, and whether the answer makes sense."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from reranker_bench.argument_types import names, seconds, url
from reranker_bench.arguments import DEFAULT_QUERY, DEFAULT_URL, Commands, add_key, headers_of
from reranker_bench.asking import Answer, Asker, AskError
from reranker_bench.console import say
from reranker_bench.dialects import DIALECTS
from reranker_bench.environment import ServerInfo
from reranker_bench.health import NotReadyError, wait_until_ready
from reranker_bench.load import Target
from reranker_bench.measuring import with_model
from reranker_bench.report import markdown_table
from reranker_bench.statuses import LOST, NOT_READY, OK, USAGE

DOCUMENTS = ("不锈钢炒锅 家用 32厘米", "健身女生T恤短袖 速干透气 运动上衣", "男士商务皮鞋 真皮 黑色")
BEST = 1
_ABSENT = {404, 405, 422}
"""Statuses by which a server says that it does not know a dialect."""


@dataclass(frozen=True)
class Check:
    """What came of one request."""

    dialect: str
    verdict: str
    said: str
    ms: float | None = None

    @property
    def failed(self) -> bool:
        """Whether something is wrong; a dialect that the server does not speak is not."""
        return self.verdict == "FAILED"


def add(commands: Commands) -> None:
    """Its flags."""
    summary = (
        "Ask each server for its health, and then in each dialect for the order of three titles, one of which is the "
        "query's. Exit 1 when an answer is wrong, or none came."
    )
    command = commands.add_parser("smoke", help="one request a dialect, and a verdict", description=summary)
    command.set_defaults(command=execute)
    command.add_argument("--url", type=url, action="append", help=f"may come several times (default {DEFAULT_URL})")
    command.add_argument(
        "--dialects", type=names, metavar="A,B", help="all of these must work (default: all that are served)"
    )
    command.add_argument("--ignore-order", action="store_true", help="for a model that isn't trained")
    command.add_argument("--timeout", type=seconds, default=60.0, metavar="SECONDS", help="(default %(default)g)")
    add_key(command)


def execute(arguments: argparse.Namespace) -> int:
    """Ask all, print one table a server."""
    unknown = set(arguments.dialects or ()) - set(DIALECTS)
    if unknown:
        say(f"reranker-bench: no such dialect: {', '.join(sorted(unknown))}; there are {', '.join(DIALECTS)}")
        return USAGE
    try:
        headers = headers_of(arguments)
    except ValueError as error:
        say(f"reranker-bench: {error}")
        return USAGE
    status = OK
    for base in arguments.url or [DEFAULT_URL]:
        try:
            health = wait_until_ready(base, wait_s=0)
        except NotReadyError as error:
            say(f"reranker-bench: {error}")
            status = NOT_READY
            continue
        checks = [_check(name, base, headers, arguments) for name in arguments.dialects or DIALECTS]
        good = not any(check.failed for check in checks) and any(check.verdict == "ok" for check in checks)
        sys.stdout.write(_table(base, ServerInfo.of(health), checks, good=good))
        if not good and status == OK:
            status = LOST
    return status


def _check(name: str, base: str, headers: dict[str, str], arguments: argparse.Namespace) -> Check:
    target = with_model(Target(base, arguments.timeout, DIALECTS[name], None, headers))
    try:
        with Asker(target) as asker:
            answer = asker.ask(DEFAULT_QUERY, DOCUMENTS)
    except AskError as error:
        if error.status in _ABSENT and arguments.dialects is None:
            return Check(name, "not served", str(error))
        return Check(name, "FAILED", str(error))
    return _judge(name, answer, ignore_order=arguments.ignore_order)


def _judge(name: str, answer: Answer, *, ignore_order: bool) -> Check:
    shown = ", ".join(f"{score:.4f}" for score in answer.scores)
    if max(range(len(DOCUMENTS)), key=answer.scores.__getitem__) != BEST and not ignore_order:
        return Check(name, "FAILED", f"the query's own title is not the best: {shown}", answer.ms)
    return Check(name, "ok", f"scores {shown}", answer.ms)


def _table(base: str, server: ServerInfo, checks: list[Check], *, good: bool) -> str:
    facts = [server.backend, server.instruction_format, server.model, server.engine_version]
    title = f"{base}: {', '.join(fact for fact in facts if fact) or 'says nothing of itself'}"
    rows = [[check.dialect, DIALECTS[check.dialect].path, check.verdict, _ms(check.ms), check.said] for check in checks]
    lines = markdown_table(["dialect", "path", "verdict", "ms", "answer"], rows)
    return "\n".join([title, "", *lines, "", "all is well" if good else "NOT WELL", ""]) + "\n"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
