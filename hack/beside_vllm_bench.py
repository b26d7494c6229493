"""Whether `reranker-bench` and `vllm bench serve --backend vllm-rerank` measure one server alike, in turns.

Both send one request at a time to `/v1/rerank`, of documents that vLLM's own generator makes, every run with a seed of
its own. The engine is the packed one on the demonstration model: it keeps nothing of one request for the next, so that
neither tool meets what the other has warmed. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from vllm.benchmarks.datasets.datasets import RandomDatasetForReranking

from hack.agreement.servers import VLLM_PROGRAM, named_vllm, ours
from hack.in_turns import comparison, in_turns, percent_apart
from reranker_bench.reading import read_results
from reranker_bench.stats import mean, percentile
from reranker_service.engines.vllm_env import prepare_environment

PAIR_TOKENS = 60
"""Of a query and a document together, as vLLM's generator counts them: it gives each one half."""
WARM_UPS = 3


class Tools:
    """Both clients, of one server."""

    def __init__(self, url: str, model: Path, folder: Path, documents: int, requests: int) -> None:
        self._url = url
        self._model = model
        self._folder = folder
        self._documents = documents
        self._requests = requests
        self._environment = dict(os.environ)
        prepare_environment(cpu=True, local_model=True, eager=True, environ=self._environment)
        self._environment["PYTHONPATH"] = os.pathsep.join([str(named_vllm(folder)), *sys.path])

    def ours(self, seed: int) -> list[float]:
        """The latencies in ms that `reranker-bench run` takes."""
        query, titles = self._texts(seed)
        file, result = self._folder / "titles.txt", self._folder / "ours.json"
        file.write_text("\n".join(titles) + "\n", encoding="utf-8")
        self._run(
            "-m", "reranker_bench.cli", "run", str(self._documents), "--url", self._url, "--dialect", "v1",
            "--repeat", str(self._requests), "--warmup-requests", str(WARM_UPS),
            "--warmup-documents", str(self._documents), "--titles", str(file), "--query", query, "--seed", str(seed),
            "--quiet-runs", "--json-summary-out", str(result),
        )  # fmt: skip
        return list(read_results(result).cells[0].values_ms)

    def theirs(self, seed: int) -> list[float]:
        """The latencies in ms that `vllm bench serve` takes."""
        given = {
            "backend": "vllm-rerank", "base-url": self._url, "endpoint": "/v1/rerank", "model": self._model,
            "dataset-name": "random-rerank", "num-prompts": self._requests * self._documents,
            "random-batch-size": self._documents, "random-input-len": PAIR_TOKENS, "seed": seed,
            "max-concurrency": 1, "num-warmups": WARM_UPS, "result-dir": self._folder, "result-filename": "theirs.json",
        }  # fmt: skip
        options = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
        self._run("-c", VLLM_PROGRAM, "bench", "serve", "--save-result", "--save-detailed", "--disable-tqdm", *options)
        result = json.loads((self._folder / "theirs.json").read_text(encoding="utf-8"))
        if result["completed"] != self._requests:
            raise SystemExit(f"vllm bench serve completed {result['completed']} of {self._requests} requests")
        return [seconds * 1000 for seconds in result["latencies"]]

    def _texts(self, seed: int) -> tuple[str, list[str]]:
        """A query, and as many documents as a run needs, of the lengths that vLLM's run has."""
        tokenizer = AutoTokenizer.from_pretrained(self._model)
        count = (self._requests + WARM_UPS) * self._documents
        made: list[Any] = RandomDatasetForReranking(random_seed=seed).sample(
            tokenizer, count, input_len=PAIR_TOKENS, batchsize=self._documents
        )
        texts = [" ".join(text.split()) for request in made for text in request.prompt]
        query = texts[0]
        return query, list(dict.fromkeys(text for text in texts if text and text != query))

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments[:4])} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def main() -> int:
    """Measure in turns, print both; the exit status is 1 where their means are further apart than allowed."""
    parser = argparse.ArgumentParser(prog="python -m hack.beside_vllm_bench", description=__doc__)
    parser.add_argument("model", type=lambda given: Path(given).resolve(), help="a checkpoint folder")
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--requests", type=int, default=30, help="of each run (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="of both tools, in turns (default %(default)s)")
    parser.add_argument("--backend", default="qwen3_packed")
    parser.add_argument("--within", type=float, default=5.0, metavar="PERCENT", help="(default %(default)s)")
    asked = parser.parse_args()
    names = ("reranker-bench", "vllm bench serve")
    found: dict[str, list[float]] = {name: [] for name in names}
    with (
        tempfile.TemporaryDirectory() as folder,
        ours(Path(folder), asked.model, asked.backend, "compact", 160) as url,
    ):
        tools = Tools(url, asked.model, Path(folder), asked.documents, asked.requests)
        measure = dict(zip(names, (tools.ours, tools.theirs), strict=True))
        for name, seed in in_turns(names, asked.rounds):
            values = measure[name](seed)
            found[name] += values
            print(f"{name:<16} median {percentile(values, 50):.1f} ms, mean {mean(values):.1f} ms", flush=True)
    both = [found[name] for name in names]
    print(f"n={asked.documents}: {comparison(names, *both)}")
    return int(abs(percent_apart(*both)) > asked.within)


if __name__ == "__main__":
    sys.exit(main())
