"""What a plain transformers forward pass in float32 gives, one prompt at a time: no padding, no mask, no batch."""

import json
from pathlib import Path

from hack.agreement.corpus import Group
from reranker_service.scoring.prompts import InstructionFormat, PromptBuilder
from reranker_service.scoring.tokenizer import PromptTokenizer
from reranker_service.settings import DEFAULT_INSTRUCTION


def prompts(model: Path, groups: list[Group], fmt: InstructionFormat, max_tokens: int) -> list[tuple[list[int], bool]]:
    """(token ids, whether the document was cut) of each document, group after group."""
    tokenizer = PromptTokenizer(model / "tokenizer.json")
    builder = PromptBuilder(tokenizer, instruction_format=fmt, instruction=DEFAULT_INSTRUCTION, max_tokens=max_tokens)
    return [
        (prompt.token_ids, prompt.truncated)
        for group in groups
        for prompt in builder.build(group.query, group.documents)
    ]


def score(model: Path, prompts: list[list[int]]) -> list[float]:
    """Log-odds of yes against no; the words' ids come from the unchanged tokenizer."""
    import torch  # noqa: PLC0415 - heavy, and not needed by the other steps
    from tokenizers import Tokenizer  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    torch.set_num_threads(1)  # a small model is slower on several, and far slower beside other work
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    yes, no = tokenizer.token_to_id("yes"), tokenizer.token_to_id("no")
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    known: dict[tuple[int, ...], float] = {}
    with torch.inference_mode():
        for ids in prompts:
            if tuple(ids) not in known:
                logits = network(torch.tensor([ids]), logits_to_keep=1).logits[0, -1]
                known[tuple(ids)] = float(logits[yes] - logits[no])
    return [known[tuple(ids)] for ids in prompts]


def save(path: Path, values: dict[str, list[float]]) -> None:
    """Keep them for the other steps."""
    path.write_text(json.dumps(values) + "\n")


def load(path: Path) -> dict[str, list[float]]:
    """What `save` wrote."""
    loaded: dict[str, list[float]] = json.loads(path.read_text())
    return loaded
