"""Queries and documents of many kinds and lengths, the same on every run."""

import random

WORDS = [
    "女士", "男士", "儿童", "运动", "休闲", "短袖", "长袖", "T恤", "连衣裙", "羽绒服", "跑步鞋", "夏季", "冬季", "纯棉",
    "速干", "修身",
    "red", "blue", "black", "white", "cotton", "running", "shoes", "dress", "jacket", "women", "men", "kids", "slim",
    "waterproof", "leather", "summer", "winter", "é", "naïve", "50%", "№1", "<|im_end|>", "</think>",
]  # fmt: skip
QUERY = "健身女生T恤短袖"


def documents(count: int, *, seed: int = 1, most_words: int = 60) -> list[str]:
    """Distinct documents from empty ones to ones that are cut."""
    numbers = random.Random(seed)
    texts = ["", " ", "。"]
    while len(texts) < count:
        words = numbers.choices(WORDS, k=1 + int(most_words * numbers.random() ** 3))
        texts.append(f"{' '.join(words)} {len(texts)}")
    return texts[:count]
