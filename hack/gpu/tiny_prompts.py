"""Puts the demonstration model and its prompts' ids into a folder, for a GPU machine without any tokenizer.

Usage: python -m hack.gpu.tiny_prompts MODEL FOLDER; MODEL is what `python -m reranker_tiny assemble` made.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, get_args

from tests.service.texts import QUERY, documents

from reranker_service.scoring.prompts import InstructionFormat, PromptBuilder, PromptTokenizer
from reranker_service.settings import DEFAULT_INSTRUCTION

COUNT = 200
MOST_TOKENS = 159


def write(model: Path, folder: Path) -> None:
    """Copy the weights, and write `prompts.json`: ids of yes and no, prompts by name, pairs that must be ordered."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(model / name, folder / name)
    tokenizer = PromptTokenizer(model / "tokenizer.json")
    cases = json.loads((model / "golden.json").read_text(encoding="utf-8"))["cases"]
    prompts: dict[str, list[list[int]]] = {}
    ordered: dict[str, list[Any]] = {}
    for form in get_args(InstructionFormat):
        builder = PromptBuilder(
            tokenizer, instruction_format=form, instruction=DEFAULT_INSTRUCTION, max_tokens=MOST_TOKENS
        )

        def ids(query: str, texts: list[str]) -> list[list[int]]:
            return [prompt.token_ids for prompt in builder.build(query, texts)]  # noqa: B023

        prompts[f"corpus, {form}"] = ids(QUERY, documents(COUNT))
        golden: list[list[int]] = []
        pairs: list[Any] = []
        for case in cases:
            pairs += [[better + len(golden), worse + len(golden), margin] for better, worse, margin in case["ordered"]]
            golden += ids(case["query"], case["documents"])
        prompts[f"golden set, {form}"], ordered[f"golden set, {form}"] = golden, pairs
    told = {"yes": tokenizer.yes_id, "no": tokenizer.no_id, "prompts": prompts, "ordered": ordered}
    (folder / "prompts.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
