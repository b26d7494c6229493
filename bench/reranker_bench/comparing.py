"""Sets new results beside old ones, cell by cell, and says which differences are more than chance.

Figures of different GPUs, models or sizes are no comparison of two versions; that is found out here, not by the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reranker_bench.results import Cell, Results
from reranker_bench.stats import Ratio, ratio_of_means


class CompareError(ValueError):
    """The two can't be set beside each other at all."""


class Verdict(StrEnum):
    """What a cell's ratio says."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference"
    """None that these samples show."""
    UNKNOWN = "too few samples"
    """One side has less than two."""


@dataclass(frozen=True)
class CellChange:
    """One size, old and new."""

    documents: int
    old_ms: float
    new_ms: float
    ratio: Ratio
    verdict: Verdict

    @property
    def percent(self) -> float:
        """Change of the mean time in per cent; below zero is faster."""
        return (self.ratio.value - 1) * 100


@dataclass(frozen=True)
class Pair:
    """One scenario, old and new."""

    old: Results
    new: Results
    differences: tuple[str, ...]
    """In which they were not measured alike; empty is as it should be."""
    cells: tuple[CellChange, ...]

    @property
    def name(self) -> str:
        """Backend and format; with an arrow where they differ."""
        names = [f"{run.backend}, {run.instruction_format}" for run in (self.old, self.new)]
        return names[0] if names[0] == names[1] else " -> ".join(names)


@dataclass(frozen=True)
class Comparison:
    """All scenarios that both sides have."""

    pairs: tuple[Pair, ...]
    unmatched: tuple[str, ...]
    """Scenarios that only one side has, in words."""
    confidence: float

    @property
    def differences(self) -> list[str]:
        """All the pairs' differences, with their scenario's name."""
        return [f"{pair.name}: {difference}" for pair in self.pairs for difference in pair.differences]

    def slower_than(self, percent: float) -> list[tuple[Pair, CellChange]]:
        """The cells that are shown to be slower, and by more than this in the mean."""
        return [
            (pair, cell)
            for pair in self.pairs
            for cell in pair.cells
            if cell.verdict is Verdict.SLOWER and cell.percent > percent
        ]


def compare(old: Sequence[Results], new: Sequence[Results], confidence: float = 0.95) -> Comparison:
    """Pair the runs and compare their cells.

    One run a side is a pair whatever it measured (that is how two backends are compared); of several, those of the same
    backend and instruction format are.

    Raises:
        CompareError: if nothing matches, or a scenario is there twice on one side.
    """
    if len(old) == len(new) == 1:
        matched = [(old[0], new[0])]
        unmatched: list[str] = []
    else:
        olds, news = _by_scenario(old, "old"), _by_scenario(new, "new")
        matched = [(olds[key], news[key]) for key in olds if key in news]
        unmatched = [f"only {side}: {', '.join(key)}" for side, one, other in (("old", olds, news), ("new", news, olds))
                     for key in one if key not in other]  # fmt: skip
        if not matched:
            raise CompareError("no scenario is on both sides: " + "; ".join(unmatched))
    pairs = tuple(Pair(a, b, tuple(differences(a, b)), tuple(_cells(a, b, confidence))) for a, b in matched)
    for pair in pairs:
        if not pair.cells:
            raise CompareError(f"{pair.name}: no size was measured on both sides")
    return Comparison(pairs, tuple(unmatched), confidence)


def differences(old: Results, new: Results) -> list[str]:
    """In which of the things that decide about speed, other than the code, the two runs differ."""
    a, b = old.environment, new.environment
    facts: list[tuple[str, object, object]] = [
        ("GPU", a.server.gpu, b.server.gpu),
        ("model", a.server.model, b.server.model),
        ("model revision", a.server.model_revision, b.server.model_revision),
        ("max_model_len", a.server.max_model_len, b.server.max_model_len),
        ("n", _sizes(old), _sizes(new)),
        ("titles", old.titles.sha256[:12], new.titles.sha256[:12]),
    ]
    if a.server.gpu is None and b.server.gpu is None:
        facts.append(("processor", a.client.cpu_model, b.client.cpu_model))
    load = ("dialect", "concurrency", "rate", "arrivals", "warmup_requests", "warmup_documents", "query")
    facts += [(name, getattr(old.parameters, name), getattr(new.parameters, name)) for name in load]
    found = [f"{name} {_word(x)} against {_word(y)}" for name, x, y in facts if x != y and _both_known(name, x, y)]
    return found + [f"{side} run was interrupted" for side, run in (("old", old), ("new", new)) if run.interrupted]


def _both_known(name: str, old: object, new: object) -> bool:
    """A processor or a revision that an older version did not write down is no difference; a GPU that is missing is."""
    return name not in {"processor", "model revision"} or (old is not None and new is not None)


def _cells(old: Results, new: Results, confidence: float) -> list[CellChange]:
    olds = {cell.documents: cell for cell in old.cells}
    changes = []
    for cell in new.cells:
        before = olds.get(cell.documents)
        if before is not None and before.values_ms and cell.values_ms:
            changes.append(_change(before, cell, confidence))
    return sorted(changes, key=lambda change: change.documents)


def _change(old: Cell, new: Cell, confidence: float) -> CellChange:
    ratio = ratio_of_means(old.values_ms, new.values_ms, confidence)
    old_ms, new_ms = (sum(cell.values_ms) / len(cell.values_ms) for cell in (old, new))
    return CellChange(new.documents, old_ms, new_ms, ratio, _verdict(ratio))


def _verdict(ratio: Ratio) -> Verdict:
    if ratio.low is None or ratio.high is None:
        return Verdict.UNKNOWN
    if ratio.high < 1:
        return Verdict.FASTER
    return Verdict.SLOWER if ratio.low > 1 else Verdict.NO_DIFFERENCE


def _by_scenario(runs: Sequence[Results], side: str) -> dict[tuple[str, str], Results]:
    found: dict[tuple[str, str], Results] = {}
    for run in runs:
        key = (run.backend, run.instruction_format)
        if key in found:
            raise CompareError(f"the {side} side has {', '.join(key)} twice; name the files that are to be compared")
        found[key] = run
    return found


def _sizes(run: Results) -> str:
    return ",".join(str(cell.documents) for cell in sorted(run.cells, key=lambda cell: cell.documents))


def _word(value: object) -> str:
    return "unknown" if value is None else repr(value) if isinstance(value, str) else str(value)
