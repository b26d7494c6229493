"""Prompts are exactly the model's own format, and no text can change that format."""

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from reranker_service.scoring.prompts import STANDARD_SYSTEM, InstructionFormat, PromptBuilder, QueryTooLong
from reranker_service.scoring.tokenizer import PromptTokenizer, TokenizerError

INSTRUCTION = "Rank products by query with category & style match prioritized"
FORMATS: list[InstructionFormat] = ["compact", "standard"]
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
PIECES = [
    *"abcXYZ0189 .,:;!?-_/'\"()[]{}<>|&%$#@~`^*+=\\", " ", "  ", "\t", "\n", "\r\n", "\n\n", "\u00a0", "\u2003",
    *"健身女生恤短袖男鞋", "é", "e\u0301", "\u0301", "ﬁ", "½", "٣", "日本語", "한국어", "😀", "\u200b", "\ufeff",
    "👩‍👩‍👧", "don't", "I'll", "C++", "42", "x" * 40, "��", "\x00", "\x7f", "עברית", "ไทย", "\U0001f1e9\U0001f1ea",
]  # fmt: skip
CONTROL_TEXTS = [
    "<|im_end|>", "<|im_start|>", "<|endoftext|>", "</think>", "<think>", "<tool_call>", "</tool_call>",
    "<tool_response>", "<|fim_prefix|>", "<|repo_name|>", "<|vision_pad|>",
]  # fmt: skip


@pytest.fixture(scope="module")
def official(tokenizer_json: Path) -> Tokenizer:
    """The checkpoint's tokenizer as it is, which turns the template's control tokens in a text into their ids."""
    return Tokenizer.from_file(str(tokenizer_json))


def whole_text(fmt: InstructionFormat, instruction: str, query: str, document: str) -> str:
    system = STANDARD_SYSTEM if fmt == "standard" else instruction
    return (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"
        f"<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}{SUFFIX}"
    )


def random_text(numbers: random.Random, most: int) -> str:
    return "".join(numbers.choice(PIECES) for _ in range(numbers.randrange(most)))


def builder(tokenizer: PromptTokenizer, fmt: InstructionFormat = "compact", max_tokens: int = 10**6) -> PromptBuilder:
    return PromptBuilder(tokenizer, instruction_format=fmt, instruction=INSTRUCTION, max_tokens=max_tokens)


@pytest.mark.parametrize("fmt", FORMATS)
def test_segments_are_the_ids_of_the_whole_text(
    tokenizer: PromptTokenizer, official: Tokenizer, fmt: InstructionFormat
) -> None:
    numbers = random.Random(7)
    build = builder(tokenizer, fmt).build
    for _ in range(400):
        query, instruction = random_text(numbers, 12), random_text(numbers, 12)
        documents = [random_text(numbers, 30) for _ in range(5)]
        for prompt, document in zip(build(query, documents, instruction), documents, strict=True):
            text = whole_text(fmt, instruction, query, document)
            assert prompt.token_ids == official.encode(text, add_special_tokens=False).ids, text


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_configured_instruction_holds_unless_a_request_brings_its_own(
    tokenizer: PromptTokenizer, official: Tokenizer, fmt: InstructionFormat
) -> None:
    build = builder(tokenizer, fmt).build
    (own,) = build("q", ["d"])
    (other,) = build("q", ["d"], "Find the opposite")
    assert official.decode(own.token_ids, skip_special_tokens=False) == whole_text(fmt, INSTRUCTION, "q", "d")
    assert official.decode(other.token_ids, skip_special_tokens=False) == whole_text(fmt, "Find the opposite", "q", "d")


@pytest.mark.parametrize("text", CONTROL_TEXTS)
def test_control_tokens_in_a_text_stay_text(tokenizer: PromptTokenizer, official: Tokenizer, text: str) -> None:
    assert official.token_to_id(text) in official.encode(text, add_special_tokens=False).ids  # it would be one
    prompt = builder(tokenizer).build(f"query {text}", [f"{text}yes{text}"], f"do {text}")[0]
    controls = [token for token in prompt.token_ids if token >= 151643]
    im_start, im_end = tokenizer.special("<|im_start|>"), tokenizer.special("<|im_end|>")
    template = [im_start, im_end, im_start, im_end, im_start, 151667, 151668]
    assert controls == template
    assert official.decode(prompt.token_ids, skip_special_tokens=False).count(text) >= 4


def test_only_document_tokens_are_cut_and_that_is_said(tokenizer: PromptTokenizer, official: Tokenizer) -> None:
    document = "red cotton shirt with long sleeves " * 20
    (full,) = builder(tokenizer).build("shirt", [document])
    fixed = len(full.token_ids) - full.document_tokens
    suffix = official.encode(SUFFIX, add_special_tokens=False).ids
    head = full.token_ids[: fixed - len(suffix)]
    kept = full.token_ids[len(head) : -len(suffix)]
    for room in (1, 2, 17, full.document_tokens - 1):
        (cut,) = builder(tokenizer, max_tokens=fixed + room).build("shirt", [document])
        assert (cut.truncated, cut.document_tokens, len(cut.token_ids)) == (True, room, fixed + room)
        assert cut.token_ids == [*head, *kept[:room], *suffix]
    (whole,) = builder(tokenizer, max_tokens=len(full.token_ids)).build("shirt", [document])
    assert whole == full
    assert not whole.truncated


def test_a_query_that_leaves_no_room_for_a_document_token_is_refused(tokenizer: PromptTokenizer) -> None:
    (prompt,) = builder(tokenizer).build("shirt", ["a"])
    least = len(prompt.token_ids) - prompt.document_tokens + 1
    assert builder(tokenizer, max_tokens=least).build("shirt", ["a"])[0].document_tokens == 1
    with pytest.raises(QueryTooLong, match=f"need {least} tokens .* may have {least - 1}") as caught:
        builder(tokenizer, max_tokens=least - 1).build("shirt", ["a"])
    assert (caught.value.needed, caught.value.available) == (least, least - 1)


def test_an_empty_document_is_still_a_prompt(tokenizer: PromptTokenizer) -> None:
    (prompt,) = builder(tokenizer).build("shirt", [""])
    assert prompt.document_tokens == 1  # the space after the colon
    assert not prompt.truncated


def test_the_answer_words_are_looked_up(tokenizer: PromptTokenizer) -> None:
    assert (tokenizer.yes_id, tokenizer.no_id) == (9693, 2152)


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: No such file"):
        PromptTokenizer(path)
    path.write_text('{"model": {}}')
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: not a usable"):
        PromptTokenizer(path)


def test_a_tokenizer_without_the_template_tokens_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    vocabulary = '{"yes": 0, "no": 1, "a": 2}'
    path.write_text(f'{{"version": "1.0", "model": {{"type": "WordLevel", "vocab": {vocabulary}, "unk_token": "a"}}}}')
    with pytest.raises(TokenizerError, match=r"no control token <\|im_start\|>"):
        builder(PromptTokenizer(path))
