"""Asks servers for the scores of the corpus and compares them with what transformers gives."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import httpx

from hack.agreement.compare import difference
from hack.agreement.corpus import Group, spells_control
from reranker_service.settings import DEFAULT_INSTRUCTION

TIMEOUT_S = 600
ALONE_PER_GROUP = 25
CLIENTS, REQUESTS_PER_CLIENT, MOST_PER_REQUEST = 8, 10, 40
SEED = 5


def our_service(url: str, groups: list[Group], expected: list[float], cut: list[bool], lengths: list[int]) -> Any:
    """Figures of one backend and format: whole lists, documents alone, and many clients at once.

    `expected`, `cut` and `lengths` (ids of the whole prompt) are by document, group after group.
    """
    started = time.monotonic()
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        answers = [_rerank(client, group.query, group.documents) for group in groups]
        found = [_in_order(answer) for answer in answers]
        seconds = time.monotonic() - started
        numbers = random.Random(SEED)
        alone = max(
            abs(_in_order(_rerank(client, group.query, [group.documents[place]]))[0] - scores[place])
            for group, scores in zip(groups, found, strict=True)
            for place in numbers.sample(range(len(group.documents)), min(ALONE_PER_GROUP, len(group.documents)))
        )
    per_group = _split(groups, expected)
    return {
        **asdict(difference(list(zip(found, per_group, strict=True)))),
        "alone": alone,
        "concurrent": _concurrent(url, groups, found),
        "cut": sum(cut),
        "cut_as_expected": [mark for answer in answers for mark in _marks(answer)] == cut,
        "tokens": sum(answer["usage"]["prompt_tokens"] for answer in answers),
        "tokens_expected": sum(lengths),
        "seconds": seconds,
    }


def vllm_server(url: str, groups: list[Group], expected: list[float], cut: list[bool]) -> Any:
    """Figures of `vllm serve` for documents that fit, that spell control tokens, and that have to be cut."""
    kinds: dict[str, list[tuple[list[float], list[float]]]] = {"plain": [], "control": [], "cut": []}
    place = 0
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        for group in groups:
            some: dict[str, list[tuple[str, float]]] = {kind: [] for kind in kinds}
            for document in group.documents:
                kind = "cut" if cut[place] else "control" if spells_control(document) else "plain"
                some[kind].append((document, expected[place]))
                place += 1
            for kind, documents in some.items():
                more = {"truncate_prompt_tokens": -1} if kind == "cut" else {}
                answer = _rerank(
                    client,
                    group.query,
                    [document for document, _ in documents],
                    instruction=DEFAULT_INSTRUCTION,
                    **more,
                )
                kinds[kind].append((_in_order(answer), [score for _, score in documents]))
    return {kind: asdict(difference(pairs)) for kind, pairs in kinds.items()}


def _rerank(client: httpx.Client, query: str, documents: list[str], **more: Any) -> dict[str, Any]:
    body = {"query": query, "documents": documents, "use_activation": False, **more}
    response = client.post("/rerank", json=body)
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.text[:1000]}")
    answer: dict[str, Any] = response.json()
    return answer


def _in_order(answer: dict[str, Any]) -> list[float]:
    return [result["relevance_score"] for result in sorted(answer["results"], key=lambda result: result["index"])]


def _marks(answer: dict[str, Any]) -> list[bool]:
    return [result.get("truncated", False) for result in sorted(answer["results"], key=lambda result: result["index"])]


def _split(groups: list[Group], values: Sequence[float]) -> list[list[float]]:
    split, place = [], 0
    for group in groups:
        split.append(list(values[place : place + len(group.documents)]))
        place += len(group.documents)
    return split


def _concurrent(url: str, groups: list[Group], found: list[list[float]]) -> float:
    """Worst |difference| to the scores of the whole lists, with several clients that ask for parts of them at once."""

    def ask(seed: int) -> float:
        numbers = random.Random(seed)
        worst = 0.0
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            for _ in range(REQUESTS_PER_CLIENT):
                which = numbers.randrange(len(groups))
                group = groups[which]
                places = numbers.sample(range(len(group.documents)), numbers.randint(1, MOST_PER_REQUEST))
                scores = _in_order(_rerank(client, group.query, [group.documents[place] for place in places]))
                gaps = (abs(score - found[which][place]) for score, place in zip(scores, places, strict=True))
                worst = max(worst, *gaps)
        return worst

    with ThreadPoolExecutor(CLIENTS) as pool:
        return max(pool.map(ask, range(CLIENTS)))
