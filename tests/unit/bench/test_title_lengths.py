"""The titles are as long as docs/benchmarking.md says, in the tokens of the model that they are sent to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from reranker_bench.titles import generate


def test_the_built_in_titles_have_the_documented_lengths(tiny_model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    texts = [" " + text for text in generate().texts]  # as they stand behind `<Document>:`
    lengths = np.array([len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)])
    assert round(float(lengths.mean()), 1) == 20.2
    assert [int(np.percentile(lengths, percent)) for percent in (0, 5, 50, 95, 99, 100)] == [4, 12, 20, 29, 32, 43]
