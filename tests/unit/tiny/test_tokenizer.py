"""The tokenizer's fetch: never an unverified file, and a clear word where npm is missing."""

from pathlib import Path

import pytest

from reranker_tiny import tokenizer
from reranker_tiny.__main__ import main


def test_without_npm_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["assemble", "--output", str(tmp_path / "model")]) == 2
    message = capsys.readouterr().err
    assert "npm was not found" in message
    assert "--tokenizer" in message


def test_a_damaged_cached_copy_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tokenizer.cache_path()
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(tokenizer.TokenizerError, match="npm was not found"):
        tokenizer.ensure_tokenizer()
    assert not path.exists()


def test_a_cached_copy_is_used_without_npm(
    tmp_path: Path, tokenizer_json: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tokenizer.cache_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(tokenizer_json.read_bytes())
    assert tokenizer.ensure_tokenizer() == path
