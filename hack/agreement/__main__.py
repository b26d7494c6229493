"""Compares scores with transformers in float32 over 1,000 documents; writes docs/results/agreement.md.

`python -m hack.agreement STEP...` with the steps `expected`, `ours` (every backend and format), `vllm` (every template)
and `report`; without a step, all of them in this order. What a step found is kept, so that each can be run by itself.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hack.agreement import corpus, measure, reference, report, servers
from hack.agreement.templates import VARIANTS
from reranker_service.scoring.prompts import InstructionFormat

BACKENDS = ("qwen3_vllm", "qwen3_vllm_score", "qwen3_packed")
FORMATS: tuple[InstructionFormat, ...] = ("compact", "standard")
DOCUMENTS, MOST_WORDS = 1000, 400
MAX_MODEL_LEN = 512
# What a backend needs of the model's length beside the prompt.
GENERATED = {"qwen3_vllm": 1}
STEPS = ("expected", "ours", "vllm", "report")


class Run:
    """Where the model is, and where what was found is kept."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model = model
        self.folder = folder
        self.groups = corpus.groups(DOCUMENTS, MOST_WORDS)
        folder.mkdir(parents=True, exist_ok=True)

    def expected(self) -> None:
        """What transformers gives for the prompts of each format, and of each room that a backend leaves them."""
        prompts = {
            f"{fmt} {generated}": [
                ids for ids, _ in reference.prompts(self.model, self.groups, fmt, MAX_MODEL_LEN - generated)
            ]
            for fmt in FORMATS
            for generated in (0, 1)
        }
        scores = iter(reference.score(self.model, [ids for each in prompts.values() for ids in each]))
        reference.save(
            self.folder / "expected.json", {name: [next(scores) for _ in each] for name, each in prompts.items()}
        )

    def ours(self, backends: Sequence[str] = BACKENDS, formats: Sequence[InstructionFormat] = FORMATS) -> None:
        """Each backend and format of the service, over HTTP."""
        expected = reference.load(self.folder / "expected.json")
        for backend in backends:
            for fmt in formats:
                generated = GENERATED.get(backend, 0)
                prompts = reference.prompts(self.model, self.groups, fmt, MAX_MODEL_LEN - generated)
                with (
                    tempfile.TemporaryDirectory() as scratch,
                    servers.ours(Path(scratch), self.model, backend, fmt, MAX_MODEL_LEN) as url,
                ):
                    found = measure.our_service(
                        url, self.groups, expected[f"{fmt} {generated}"],
                        [cut for _, cut in prompts], [len(ids) for ids, _ in prompts],
                    )  # fmt: skip
                self._keep(f"ours-{backend}-{fmt}", found)

    def vllm(self, names: Sequence[str] = tuple(VARIANTS)) -> None:
        """`vllm serve` with each template."""
        expected = reference.load(self.folder / "expected.json")["standard 0"]
        prompts = reference.prompts(self.model, self.groups, "standard", MAX_MODEL_LEN)
        for name in names:
            with (
                tempfile.TemporaryDirectory() as scratch,
                servers.vllm(Path(scratch), self.model, MAX_MODEL_LEN, VARIANTS[name][0]) as url,
            ):
                found = measure.vllm_server(url, self.groups, expected, [cut for _, cut in prompts])
            self._keep(f"vllm-{name}", found)

    def _keep(self, name: str, found: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(found) + "\n")
        print(f"{name}: {json.dumps(found)}", flush=True)


def main() -> None:
    """Run the steps that were named."""
    parser = argparse.ArgumentParser(prog="python -m hack.agreement", description=__doc__)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reranker-operator"
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; all when none")
    parser.add_argument(
        "--model", type=Path, required=True, help="checkpoint folder; `python -m reranker_tiny assemble`"
    )
    parser.add_argument("--folder", type=Path, default=cache / "agreement", help="where what was found is kept")
    parser.add_argument("--backend", choices=BACKENDS, help="only this backend, in the step `ours`")
    parser.add_argument("--format", choices=FORMATS, help="only this format, in the step `ours`")
    parser.add_argument("--template", choices=VARIANTS, help="only this template, in the step `vllm`")
    arguments = parser.parse_args()
    unknown = set(arguments.steps) - set(STEPS)
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the servers end too
    run = Run(arguments.model, arguments.folder)
    for step in arguments.steps or STEPS:
        if step == "expected":
            run.expected()
        elif step == "ours":
            run.ours(
                (arguments.backend,) if arguments.backend else BACKENDS,
                (arguments.format,) if arguments.format else FORMATS,
            )
        elif step == "vllm":
            run.vllm((arguments.template,) if arguments.template else tuple(VARIANTS))
        else:
            report.write(run.folder, BACKENDS, FORMATS)


if __name__ == "__main__":
    main()
