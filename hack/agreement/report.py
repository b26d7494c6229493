"""docs/results/agreement.md from what was found."""

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hack.agreement.templates import VARIANTS
from reranker_service.engines.vllm_env import vllm_version

TARGET = Path("docs/results/agreement.md")


def write(folder: Path, backends: Sequence[str], formats: Sequence[str]) -> None:
    """Write the page; steps that have not been run are left out of it."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(page(folder, backends, formats), encoding="utf-8")


def page(folder: Path, backends: Sequence[str], formats: Sequence[str]) -> str:
    """The page's text."""
    ours = [
        (backend, fmt, found)
        for backend in backends
        for fmt in formats
        if (found := _read(folder / f"ours-{backend}-{fmt}.json")) is not None
    ]
    theirs = [(name, found) for name in VARIANTS if (found := _read(folder / f"vllm-{name}.json")) is not None]
    return "\n".join([_INTRODUCTION.format(**_versions()), *_ours(ours), "", *_theirs(theirs), "", _READING])


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.is_file() else None


def _versions() -> dict[str, str]:
    return {
        "vllm": vllm_version(),
        "transformers": importlib.metadata.version("transformers"),
        "torch": importlib.metadata.version("torch"),
    }


_INTRODUCTION = """\
# Do the scores agree?

Written by `python -m hack.agreement --model <folder>`. vLLM {vllm}, transformers {transformers}, torch {torch}; float32
on a CPU; the demonstration model (`tiny/`). 1,000 documents of all lengths for four queries: from empty ones to ones
that are cut, in several languages, with line breaks and tabs; every twentieth spells a control token of the template.
Compared are log-odds, with those of a plain transformers forward pass in float32 over one prompt at a time.

## This service

Whole lists over HTTP, then a hundred documents asked for alone, then eight clients that ask for parts of the lists at
once. `alone` and `concurrent` are the greatest differences to the scores of the whole lists; `cut` counts documents.

| backend | format | greatest | mean | alone | concurrent | pairs swapped | cut, as expected | tokens, as expected |
|---|---|--:|--:|--:|--:|--:|--:|--:|"""


def _ours(rows: Sequence[tuple[str, str, Any]]) -> list[str]:
    return [
        f"| `{backend}` | {fmt} | {found['worst']:.1e} | {found['mean']:.1e} | {found['alone']:.1e} "
        f"| {found['concurrent']:.1e} | {found['swapped']:.2%} "
        f"| {found['cut']}, {_yes(found['cut_as_expected'])} "
        f"| {found['tokens']}, {_yes(found['tokens'] == found['tokens_expected'])} |"
        for backend, fmt, found in rows
    ]


_READING = """\
What this says:

* This service's backends give what transformers gives, to float32's rounding, alone, in lists and side by side; what it
  reports as cut and counts as tokens is exactly what was scored.
* `vllm serve` gives the same **only with the exact template**, for documents that fit and spell no control token. The
  published template's lost line break moves scores and order; how far depends on the model, and the small demonstration
  model has only ever seen the exact prompt, so expect less of a large one, but not nothing.
* A control token in a document is text here, and ends the user's turn there. The expected scores of those rows are
  those of text; a plain transformers call on the whole string would take the control token for one, as vLLM does.
* A prompt that is cut from the right loses the suffix that the model answers behind: no template helps against that.
"""


def _yes(value: bool) -> str:
    return "yes" if value else "**no**"


def _theirs(rows: Sequence[tuple[str, Any]]) -> list[str]:
    lines = [
        "## `vllm serve` with its template",
        "",
        "The same documents in `standard` format, from `vllm serve` on the same CPU with the classifier overrides that",
        "its documentation gives for this model. Its template is not in the package; it was written here from its",
        "published form, and changed in one point a row.",
        "",
        "| template | documents | max difference | mean | pairs swapped | best ten kept |",
        "|---|---|--:|--:|--:|--:|",
    ]
    kinds = {"plain": "that fit", "control": "that fit and spell a control token", "cut": "that have to be cut"}
    for name, found in rows:
        for kind, what in kinds.items():
            part = found[kind]
            best = "–" if kind == "control" else f"{part['top_kept']:.0%}"  # hardly more than ten a query
            lines.append(
                f"| {name} | {part['documents']} {what} | {part['worst']:.1e} | {part['mean']:.1e} "
                f"| {part['swapped']:.1%} | {best} |"
            )
    return [*lines, "", *(f"* {name}: {VARIANTS[name][1]}." for name, _ in rows)]
