"""What the tests of the demonstration model share."""

from pathlib import Path

import pytest

from reranker_tiny.dataset import Encoder
from reranker_tiny.tokenizer import ensure_tokenizer


@pytest.fixture(scope="session")
def tokenizer_json() -> Path:
    return ensure_tokenizer()


@pytest.fixture(scope="session")
def encoder(tokenizer_json: Path) -> Encoder:
    return Encoder(tokenizer_json)
