"""The prompts of every speed measurement: 200 short questions, the same on every machine.

All open with the same system text, as SmolLM2's chat template puts it there, so that what every
prompt begins with can be reused by a loop that knows how.
"""

from __future__ import annotations

MAX_TOKENS = 32
"""Greedy ids that each prompt is answered with, unless the model stops before."""

_KINDS = (
    "What is {a} + {b}? Explain your answer.",
    "Write one sentence about {thing}.",
    "Why do people like {thing}? Answer in a short paragraph.",
    "List three facts about {thing}, then say which of them matters most and why.",
    "Write a Python function named f{a} that adds {b} to its argument.",
    "Translate into French: I have {a} friends and {b} books about {thing}.",
    "Tell a story of a traveller who carries {a} coins and finds {thing} near the old harbour.",
    "Compare {thing} with {other}.",
)
_THINGS = (
    "rivers", "trains", "bread", "the moon", "chess", "winter", "bees", "bridges", "tea", "clocks",
    "mountains", "violins", "gardens", "ships", "maps", "rain", "salt", "owls", "paper", "glass",
    "islands", "horses", "candles", "wool", "lighthouses",
)  # fmt: skip


def prompts(count: int) -> list[str]:
    """The first `count` of the 200 questions; no two are equal."""
    if not 0 < count <= 200:
        raise ValueError(f"there are 200 prompts, not {count}")
    return [_prompt(i) for i in range(count)]


def _prompt(i: int) -> str:
    thing, other = _THINGS[i % len(_THINGS)], _THINGS[(i * 7 + 3) % len(_THINGS)]
    return _KINDS[i % len(_KINDS)].format(a=i + 2, b=i * 7 % 91 + 1, thing=thing, other=other)


def rendered(prompt: str) -> str:
    """A question as SmolLM2-Instruct's own chat template renders it."""
    return (
        "<|im_start|>system\n"
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    )
