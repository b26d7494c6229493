"""Text to token ids in a way that no user's text can produce a control token.

The checkpoint's tokenizer recognises its added tokens (`<|im_end|>`, `</think>`, `<tool_call>`, ...) wherever they are
spelled out, so a document could end the user turn. Here they are taken out of the tokenizer altogether: text stays
text, and the template's own control tokens are looked up by name and placed by id.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from reranker_service.scoring.encoders import Encoded, choose_encoder


class TokenizerError(ValueError):
    """The tokenizer file is not one that Qwen3 reranker prompts can be built with."""


class PromptTokenizer:
    """A checkpoint's tokenizer.json, split into a plain text encoder and a table of control tokens.

    Thread-safe after construction: encoding does not change it.

    Raises:
        TokenizerError: the file can't be read, or lacks the words `yes` and `no` as single tokens.
    """

    def __init__(self, tokenizer_json: str | Path) -> None:
        try:
            definition = json.loads(Path(tokenizer_json).read_text(encoding="utf-8"))
            added = definition.pop("added_tokens", None) or []
            self._special = {str(token["content"]): int(token["id"]) for token in added}
            self._encoder = choose_encoder(definition)
            words: dict[str, int] = definition["model"]["vocab"]
        except OSError as error:
            raise TokenizerError(f"{tokenizer_json}: {error.strerror or error}") from error
        except Exception as error:  # the library raises bare Exception for a definition it can't read
            raise TokenizerError(f"{tokenizer_json}: not a usable tokenizer.json ({error})") from error
        self.yes_id = _id_of(tokenizer_json, words, "yes")
        self.no_id = _id_of(tokenizer_json, words, "no")

    @property
    def quick(self) -> bool:
        """Whether a few hundred titles take less than a millisecond."""
        return self._encoder.quick

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; control tokens spelled out in it come back as ordinary text tokens."""
        return self._encoder.encode(text)

    def encode_batch(self, texts: Sequence[str]) -> Encoded:
        """Token ids of each text, in order, encoded outside the interpreter lock."""
        return self._encoder.encode_batch(texts)

    def special(self, token: str) -> int:
        """The id of a control token such as `<|im_start|>`.

        Raises:
            TokenizerError: the checkpoint has no such token.
        """
        try:
            return self._special[token]
        except KeyError:
            raise TokenizerError(f"the tokenizer has no control token {token}; is this a Qwen3 checkpoint?") from None


def _id_of(origin: str | Path, words: Mapping[str, int], word: str) -> int:
    if word not in words:
        raise TokenizerError(f"{origin}: {word!r} is not a single token; this is no yes/no reranker tokenizer")
    return int(words[word])
