"""The user's own relevance judgements: which documents are how good for which query.

Two forms. JSON lines: `{"query": ..., "documents": [{"text": ..., "relevance": 2}, ...]}`. TREC: a file of judgements
(`query-id 0 document-id relevance`), with queries and documents in files of their own, and optionally a first stage's
run that says which documents are to be reranked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class JudgementsError(ValueError):
    """A file that can't be used; the message names file, line and what is wrong."""


@dataclass(frozen=True)
class Judged:
    """One query, the documents to be ranked for it, and how good each is."""

    name: str
    query: str
    documents: tuple[str, ...]
    relevance: tuple[float, ...]
    """Of the documents, in their order; 0 where nobody judged."""
    ideal: tuple[float, ...]
    """All the relevances above 0 that were judged for the query, whether or not that document is to be ranked."""


def read_jsonl(path: Path) -> list[Judged]:
    """Read JSON lines, a query each.

    Raises:
        JudgementsError: for whatever is not as it should be.
    """
    judged = []
    for number, line in _lines(path):
        try:
            entry = json.loads(line)
            documents = tuple(_text(document["text"]) for document in entry["documents"])
            relevance = tuple(_number(document["relevance"]) for document in entry["documents"])
            query = _text(entry["query"])
        except (ValueError, KeyError, TypeError) as error:
            form = '{"query": "...", "documents": [{"text": "...", "relevance": 1}]}'
            raise JudgementsError(f"{path}, line {number}: must be like {form} ({error!r})") from error
        judged.append(_judged(str(entry.get("id", number)), query, documents, relevance, relevance))
    return _some(judged, path)


def read_trec(qrels: Path, queries: Path, documents: Path, candidates: Path | None) -> list[Judged]:
    """Read TREC's files; without candidates the judged documents of a query are what is ranked.

    Raises:
        JudgementsError: for whatever is not as it should be, a missing query or document included.
    """
    texts, questions = _read_texts(documents), _read_texts(queries)
    judgements: dict[str, dict[str, float]] = {}
    for number, line in _lines(qrels):
        parts = line.split()
        if len(parts) != 4 or not _is_number(parts[3]):
            raise JudgementsError(f"{qrels}, line {number}: must be `query-id 0 document-id relevance`, not {line!r}")
        judgements.setdefault(parts[0], {})[parts[2]] = float(parts[3])
    ranked = {name: list(judged) for name, judged in judgements.items()}
    if candidates is not None:
        found = _read_run(candidates)
        ranked = {name: found[name] for name in judgements if name in found}
    judged = []
    for name, identities in ranked.items():
        if name not in questions:
            raise JudgementsError(f"{queries}: query {name!r} of {qrels} is not there")
        missing = next((identity for identity in identities if identity not in texts), None)
        if missing is not None:
            raise JudgementsError(f"{documents}: document {missing!r} of query {name!r} is not there")
        known = judgements[name]
        relevance = tuple(known.get(identity, 0.0) for identity in identities)
        ranking = tuple(texts[identity] for identity in identities)
        judged.append(_judged(name, questions[name], ranking, relevance, tuple(known.values())))
    return _some(judged, qrels)


def _judged(
    name: str, query: str, documents: tuple[str, ...], relevance: tuple[float, ...], every: tuple[float, ...]
) -> Judged:
    return Judged(name, query, documents, relevance, tuple(value for value in every if value > 0))


def _some(judged: list[Judged], path: Path) -> list[Judged]:
    """Queries with nothing to rank, or nothing good to find, say nothing about a reranker."""
    useful = [one for one in judged if one.ideal and len(one.documents) > 1]
    if not useful:
        raise JudgementsError(f"{path}: holds no query with two documents or more and one that is relevant")
    return useful


def _read_run(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, line in _lines(path):
        parts = line.split()
        if len(parts) != 6:
            raise JudgementsError(
                f"{path}, line {number}: must be `query-id Q0 document-id rank score name`, not {line!r}"
            )
        found.setdefault(parts[0], []).append(parts[2])
    return found


def _read_texts(path: Path) -> dict[str, str]:
    """By id, from `id<TAB>text` or JSON lines with `id` (or `_id`), `text` and perhaps `title`."""
    texts: dict[str, str] = {}
    for number, line in _lines(path):
        if line.startswith("{"):
            try:
                entry = json.loads(line)
                identity, text = str(entry["id" if "id" in entry else "_id"]), _titled(entry)
            except (ValueError, KeyError, TypeError) as error:
                raise JudgementsError(f'{path}, line {number}: must be like {{"id": "...", "text": "..."}}') from error
        else:
            identity, tab, text = line.partition("\t")
            if not tab:
                raise JudgementsError(f"{path}, line {number}: must be an id, a tab, and the text")
        texts[identity.strip()] = text.strip()
    return texts


def _titled(entry: dict[str, Any]) -> str:
    return " ".join(part for part in (entry.get("title", ""), _text(entry["text"])) if part)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise JudgementsError(f"can't read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise JudgementsError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield number, line.strip("\r")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
