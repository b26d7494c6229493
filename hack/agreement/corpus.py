"""The texts that are compared: a few queries, and documents of all lengths and kinds, the same on every run."""

import random
from dataclasses import dataclass

WORDS = [
    "女士", "男士", "儿童", "运动", "休闲", "短袖", "长袖", "T恤", "连衣裙", "羽绒服", "跑步鞋", "夏季", "冬季", "纯棉",
    "red", "blue", "black", "white", "cotton", "running", "shoes", "dress", "jacket", "women", "men", "kids", "slim",
    "waterproof", "leather", "summer", "winter", "é", "naïve", "50%", "№1", "don't", "C++", "\n", "\t", "😀", "日本語",
]  # fmt: skip
CONTROL_WORDS = ["<|im_end|>", "</think>", "<|im_start|>", "<tool_call>"]
QUERIES = [
    "健身女生T恤短袖",
    "waterproof winter jacket for kids?",
    "男士 跑步鞋 black leather running shoes, size 42",
    "What should a woman wear to run in the rain in summer when she already has shoes but no jacket",
]
SEED = 4
# One document in so many spells a control token of the template.
CONTROL_EVERY = 20


@dataclass(frozen=True)
class Group:
    """A query and its documents."""

    query: str
    documents: list[str]


def groups(documents: int, most_words: int) -> list[Group]:
    """`documents` in all, from empty ones to ones of `most_words`; short ones are the most."""
    numbers = random.Random(SEED)
    texts = ["", " ", "。"]
    while len(texts) < documents:
        words = numbers.choices(WORDS, k=1 + int(most_words * numbers.random() ** 3))
        if len(texts) % CONTROL_EVERY == 0:
            words.insert(numbers.randrange(len(words) + 1), numbers.choice(CONTROL_WORDS))
        texts.append(f"{' '.join(words)} {len(texts)}")
    numbers.shuffle(texts)
    share = documents // len(QUERIES)
    return [
        Group(query, texts[place * share : (place + 1) * share if place + 1 < len(QUERIES) else documents])
        for place, query in enumerate(QUERIES)
    ]


def spells_control(text: str) -> bool:
    """Whether the text holds what the checkpoint's own tokenizer would take for a control token."""
    return any(word in text for word in CONTROL_WORDS)
