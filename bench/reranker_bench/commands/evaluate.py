"""`reranker-bench evaluate`: is the ranking good, on the user's own judgements, and is one way of scoring better?

Latency is half of the choice between backends and instruction formats; this is the other half.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reranker_bench.argument_types import positive, seconds, url
from reranker_bench.arguments import Commands, add_key, headers_of
from reranker_bench.asking import Asker, AskError
from reranker_bench.console import say
from reranker_bench.dialects import DIALECTS
from reranker_bench.environment import ServerInfo
from reranker_bench.files import replace_text
from reranker_bench.health import NotReadyError, wait_until_ready
from reranker_bench.judgements import Judged, JudgementsError, read_jsonl, read_trec
from reranker_bench.load import Target
from reranker_bench.measuring import with_model
from reranker_bench.ranking import ndcg, order, reciprocal_rank
from reranker_bench.report import markdown_table
from reranker_bench.stats import difference_of_pairs, mean
from reranker_bench.statuses import LOST, NOT_READY, OK, USAGE

METRICS = ("ndcg", "mrr")


@dataclass
class Evaluated:
    """One target's figures by query; a query that failed has none."""

    label: str
    k: int
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Keep it for a later `--against`."""
        document = {"schema_version": 1, "kind": "reranker-bench/evaluation"} | vars(self)
        replace_text(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Evaluated:
        """Read what `write` wrote.

        Raises:
            JudgementsError: if it isn't that.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["kind"] != "reranker-bench/evaluation" or document["schema_version"] != 1:
                raise JudgementsError(f"{path} is not an evaluation that this version reads")
            return cls(document["label"], document["k"], document["figures"], document["failed"])
        except OSError as error:
            raise JudgementsError(f"can't read {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise JudgementsError(f"{path} is not an evaluation of reranker-bench") from error


def add(commands: Commands) -> None:
    """Its flags."""
    summary = (
        "Rank the documents of judged queries and print NDCG@k and MRR@k. Several targets stand side by side with the "
        "first one; where only one can run at a time, keep its figures with --out and compare later with --against."
    )
    command = commands.add_parser("evaluate", help="NDCG and MRR on your own judgements", description=summary)
    command.set_defaults(command=execute)
    command.add_argument(
        "target", nargs="+", metavar="[LABEL=]URL", help="label it, or its backend and format are taken from /health"
    )
    data = command.add_argument_group("judgements: --jsonl, or --qrels with --queries and --documents")
    data.add_argument("--jsonl", type=Path, metavar="FILE", help="a query a line, with its documents and relevances")
    data.add_argument("--qrels", type=Path, metavar="FILE", help="TREC: query-id 0 document-id relevance")
    data.add_argument("--queries", type=Path, metavar="FILE", help="id<TAB>text, or JSON lines with id and text")
    data.add_argument("--documents", type=Path, metavar="FILE", help="the same for documents")
    data.add_argument(
        "--candidates", type=Path, metavar="FILE", help="a TREC run: what is ranked (default: the judged)"
    )
    command.add_argument("--k", type=positive, default=10, help="depth of the figures (default %(default)s)")
    command.add_argument("--gain", choices=("linear", "exponential"), default="linear", help="of NDCG (default linear)")
    command.add_argument("--seed", type=int, default=99, help="decides between equal scores (default %(default)s)")
    command.add_argument(
        "--batch", type=positive, default=1000, metavar="N", help="most documents a request (default %(default)s)"
    )
    command.add_argument("--dialect", choices=tuple(DIALECTS), default="rerank")
    command.add_argument("--timeout", type=seconds, default=360.0, metavar="SECONDS", help="(default %(default)g)")
    command.add_argument("--out", type=Path, metavar="FILE", help="keep the first target's figures, query by query")
    command.add_argument("--against", type=Path, metavar="FILE", help="kept figures, to stand first in the comparison")
    add_key(command)


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate all targets, print the tables."""
    try:
        judged = _read(arguments)
        evaluated = _kept(arguments)
        targets = [_target(given, arguments) for given in arguments.target]
        _check_labels([*(one.label for one in evaluated), *(label for label, _ in targets)])
        fresh = [_evaluate(label, target, judged, arguments) for label, target in targets]
        if arguments.out:
            fresh[0].write(arguments.out)
    except (JudgementsError, ValueError, argparse.ArgumentTypeError) as error:
        say(f"reranker-bench: {error}")
        return USAGE
    except OSError as error:
        say(f"reranker-bench: can't write {arguments.out}: {error.strerror}")
        return USAGE
    except NotReadyError as error:
        say(f"reranker-bench: {error}")
        return NOT_READY
    sys.stdout.write(tables([*evaluated, *fresh]))
    failed = [f"{one.label}: query {name}: {why}" for one in fresh for name, why in one.failed.items()]
    for line in failed:
        say(f"failed: {line}")
    return LOST if failed else OK


def tables(evaluated: Sequence[Evaluated]) -> str:
    """Means over the queries that all targets ranked, and each target's difference to the first."""
    k = evaluated[0].k
    common = [name for name in evaluated[0].figures if all(name in one.figures for one in evaluated)]
    if not common:
        return "no query was ranked by every target\n"
    columns = {one.label: {metric: [one.figures[n][metric] for n in common] for metric in METRICS} for one in evaluated}
    rows = [[label, str(len(common)), *(f"{mean(values[metric]):.4f}" for metric in METRICS)]
            for label, values in columns.items()]  # fmt: skip
    lines = markdown_table(["target", "queries", *(f"{metric.upper()}@{k}" for metric in METRICS)], rows)
    if len(evaluated) > 1 and len(common) > 1:
        first, *others = columns
        rows = [_difference(first, label, metric, k, columns) for label in others for metric in METRICS]
        header = ["target", "figure", "difference", "95% interval", "better", "worse", "equal", "verdict"]
        lines += ["", f"Against {first}, query by query", "", *markdown_table(header, rows)]
    return "\n".join(lines) + "\n"


def _difference(first: str, label: str, metric: str, k: int, columns: dict[str, dict[str, list[float]]]) -> list[str]:
    before, after = columns[first][metric], columns[label][metric]
    middle, low, high = difference_of_pairs(before, after, 0.95)
    better = sum(b < a for b, a in zip(before, after, strict=True))
    worse = sum(b > a for b, a in zip(before, after, strict=True))
    verdict = "better" if low > 0 else "worse" if high < 0 else "no difference"
    counts = [str(better), str(worse), str(len(before) - better - worse)]
    return [label, f"{metric.upper()}@{k}", f"{middle:+.4f}", f"{low:+.4f} to {high:+.4f}", *counts, verdict]


def _kept(arguments: argparse.Namespace) -> list[Evaluated]:
    if arguments.against is None:
        return []
    kept = Evaluated.read(arguments.against)
    if kept.k != arguments.k:
        raise JudgementsError(f"{arguments.against} has figures at k={kept.k}; give --k {kept.k}")
    return [kept]


def _check_labels(labels: Sequence[str]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise JudgementsError(f"two targets are called {twice[0]!r}; give them labels, LABEL=URL")


def _read(arguments: argparse.Namespace) -> list[Judged]:
    trec = (arguments.qrels, arguments.queries, arguments.documents)
    if arguments.jsonl and not any((*trec, arguments.candidates)):
        return read_jsonl(arguments.jsonl)
    if not arguments.jsonl and all(trec):
        return read_trec(*trec, arguments.candidates)
    raise JudgementsError("give --jsonl, or --qrels with --queries and --documents")


def _target(given: str, arguments: argparse.Namespace) -> tuple[str, Target]:
    label, equals, base = given.partition("=")
    if not equals or "/" in label:
        label, base = "", given
    base = url(base)
    health = wait_until_ready(base, wait_s=0)
    server = ServerInfo.of(health)
    names = [name for name in (server.backend, server.instruction_format) if name]
    target = Target(base, arguments.timeout, DIALECTS[arguments.dialect], None, headers_of(arguments))
    return label or ", ".join(names) or base, with_model(target)


def _evaluate(label: str, target: Target, judged: Sequence[Judged], arguments: argparse.Namespace) -> Evaluated:
    result = Evaluated(label, arguments.k)
    with Asker(target) as asker:
        for one in judged:
            try:
                scores = _scores(asker, one, arguments.batch)
            except AskError as error:
                result.failed[one.name] = str(error)
                continue
            ranked = [one.relevance[index] for index in order(scores, f"{arguments.seed}/{one.name}")]
            result.figures[one.name] = {
                "ndcg": ndcg(ranked, one.ideal, arguments.k, exponential=arguments.gain == "exponential"),
                "mrr": reciprocal_rank(ranked, arguments.k),
            }
    return result


def _scores(asker: Asker, judged: Judged, batch: int) -> list[float]:
    """Of all the documents; several requests where one may not hold them, since each document is scored by itself."""
    parts = [judged.documents[start : start + batch] for start in range(0, len(judged.documents), batch)]
    return [score for part in parts for score in asker.ask(judged.query, part).scores]
