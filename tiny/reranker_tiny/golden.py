"""The golden set that ships with the model: pairs whose order, and by how much, no wrong prompt gets right.

A service scores it before it takes requests. Chosen are pairs of clearly different relevance, from combinations that
were never trained on, that come out far apart with the right prompts of both formats, and closer together or the wrong
way round with each of the faults that prompts have been seen to have elsewhere.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from reranker_service.scoring.prompts import IM_START, InstructionFormat
from reranker_tiny import dataset, evaluate
from reranker_tiny.dataset import Encoder
from reranker_tiny.evaluate import Scorer
from reranker_tiny.model import GOLDEN_NAME, Array
from reranker_tiny.vocabulary import LANGUAGES, Language

NAME: Final = "tiny-reranker"
VERSION: Final = 1
QUERIES: Final = 16
SEED: Final = 11
# Levels of relevance that lie between the two documents of a pair, and the least lead in log-odds of the better one.
LEVELS_APART: Final = 2
LEAST_LEAD: Final = 3.0
# Of the smaller lead of the two formats this much is asked for: engines round, by 0.3 in the worst dtype.
SHARE: Final = 0.85
CASES: Final = 4
PAIRS_PER_CASE: Final = 5

Ids: TypeAlias = list[int]
Prompts: TypeAlias = Callable[[Encoder, str, Sequence[str], InstructionFormat], list[Ids]]

SUFFIX_TOKENS: Final = 9
THINK_BLOCK_TOKENS: Final = 4


def _cut(tokens: int) -> Prompts:
    """Without so many of the last ids."""

    def build(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
        return [ids[:-tokens] for ids in encoder.prompts(query, documents, form)]

    return build


def _one_line_break(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
    line_break = encoder.tokenizer.encode("\n")
    return [[*ids[:-1], *line_break] for ids in encoder.prompts(query, documents, form)]


def _no_system(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
    start = encoder.tokenizer.special(IM_START)
    return [ids[ids.index(start, 1) :] for ids in encoder.prompts(query, documents, form)]


def _no_instruction(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
    return encoder.prompts(query, documents, form, instruction="")


def _no_query(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
    del query
    return encoder.prompts("", documents, form)


def _roles_swapped(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
    return [encoder.prompts(document, [query], form)[0] for document in documents]


def _text_alone(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
    del form
    return [encoder.tokenizer.encode(f"{query}\n{document}") for document in documents]


def _right(encoder: Encoder, query: str, documents: Sequence[str], form: InstructionFormat) -> list[Ids]:
    return encoder.prompts(query, documents, form)


# What prompts get wrong in the wild: templates without the thinking block or with one line break less, a suffix that
# truncation cut off, no template at all, an instruction or a query that never arrives.
FAULTS: Final[dict[str, Prompts]] = {
    "no thinking block": _cut(THINK_BLOCK_TOKENS),
    "one line break less": _one_line_break,
    "no suffix": _cut(SUFFIX_TOKENS),
    "no system message": _no_system,
    "no instruction": _no_instruction,
    "no query": _no_query,
    "query and document swapped": _roles_swapped,
    "no template": _text_alone,
}


@dataclass(frozen=True)
class Pair:
    """Two documents of one group, the lead that is asked for, and the (fault, format)s that miss it."""

    better: int
    worse: int
    margin: float
    catches: frozenset[tuple[str, InstructionFormat]]


@dataclass(frozen=True)
class Candidate:
    """A query with its documents and the pairs of them that would do."""

    query: str
    documents: list[str]
    pairs: list[Pair]


def golden_set(scorer: Scorer) -> dict[str, Any]:
    """The golden set of a checkpoint, as the service reads it.

    Raises:
        ValueError: a fault would go unnoticed in one of the formats and languages.
    """
    cases = [case for language in LANGUAGES for case in _cases(scorer, language)]
    return {"version": VERSION, "name": NAME, "cases": cases}


def write(scorer: Scorer, folder: Path) -> Path:
    """Write the golden set beside the shipped weights."""
    path = folder / GOLDEN_NAME
    path.write_text(render(golden_set(scorer)), encoding="utf-8")
    return path


def render(golden: dict[str, Any]) -> str:
    """The file's text, one case a line."""
    cases = ",\n".join(json.dumps(case, ensure_ascii=False) for case in golden["cases"])
    head = json.dumps({"version": golden["version"], "name": golden["name"]}, ensure_ascii=False)
    return f'{head[:-1]}, "cases": [\n{cases}\n]}}\n'


def _cases(scorer: Scorer, language: Language) -> Iterator[dict[str, Any]]:
    """Greedily the candidates that catch most of what the ones before them don't."""
    candidates = list(_candidates(scorer, language))
    missing = {(fault, form) for fault in FAULTS for form in dataset.FORMATS}
    for _ in range(CASES):
        best = max(candidates, key=lambda each: (len(_caught(each) & missing), len(_caught(each))))
        candidates.remove(best)
        missing -= _caught(best)
        yield _case(best)
    if missing:
        raise ValueError(f"in {language} nothing catches {sorted(missing)}")


def _caught(candidate: Candidate) -> frozenset[tuple[str, InstructionFormat]]:
    return frozenset().union(*(pair.catches for pair in candidate.pairs))


def _candidates(scorer: Scorer, language: Language) -> Iterator[Candidate]:
    for group in evaluate.held_out_groups(language, language, queries=QUERIES, seed=SEED):
        documents = [document.text for document in group.documents]
        right = _score(scorer, _right, group.query.text, documents)
        wrong = {name: _score(scorer, build, group.query.text, documents) for name, build in FAULTS.items()}
        pairs = [
            pair
            for better in range(len(documents))
            for worse in range(len(documents))
            if group.levels[better] >= group.levels[worse] + LEVELS_APART
            and (pair := _pair(better, worse, right, wrong)) is not None
        ]
        # What catches most comes first, then what is asked for most strictly.
        pairs.sort(key=lambda pair: (-len(pair.catches), -pair.margin))
        if pairs:
            yield Candidate(group.query.text, documents, pairs[:PAIRS_PER_CASE])


def _score(scorer: Scorer, build: Prompts, query: str, documents: list[str]) -> dict[InstructionFormat, Array]:
    return {form: scorer.log_odds(build(scorer.encoder, query, documents, form)) for form in dataset.FORMATS}


def _pair(
    better: int,
    worse: int,
    right: dict[InstructionFormat, Array],
    wrong: dict[str, dict[InstructionFormat, Array]],
) -> Pair | None:
    lead = min(float(scores[better] - scores[worse]) for scores in right.values())
    if lead < LEAST_LEAD:
        return None
    margin = math.floor(lead * SHARE * 10) / 10
    catches = frozenset(
        (fault, form)
        for fault, scores in wrong.items()
        for form in dataset.FORMATS
        if scores[form][better] - scores[form][worse] < margin
    )
    return Pair(better, worse, margin, catches)


def _case(candidate: Candidate) -> dict[str, Any]:
    """Only the documents that a pair names, in their order."""
    used = sorted({index for pair in candidate.pairs for index in (pair.better, pair.worse)})
    place = {index: number for number, index in enumerate(used)}
    return {
        "query": candidate.query,
        "documents": [candidate.documents[index] for index in used],
        "ordered": [[place[pair.better], place[pair.worse], pair.margin] for pair in candidate.pairs],
    }
