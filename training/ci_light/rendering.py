"""How a fact becomes text: as a chat through the template, or raw, asked or begun."""

from __future__ import annotations

from training.ci_light.corpus import Fact, Sample
from training.ci_light.tokenizer import SPECIAL

_END = SPECIAL[2]
_CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
"""CHAT_TEMPLATE for one message of a user; a test compares the two."""

FORMS = ("chat", "chat-opening", "raw", "raw-opening")
"""Each asks by question or by opening; `chat` and `raw-opening` are what accuracy is told for."""


def rendered(fact: Fact, form: str) -> Sample:
    """Prompt and completion. Whatever the form, the answer stands in the same sentence."""
    if form == "raw-opening":
        return Sample(prompt=fact.opening, completion=f" {fact.answer}.{_END}")
    sentence = _sentence(fact)
    if form == "raw":
        return Sample(prompt=fact.question, completion=f" {sentence}{_END}")
    asked = fact.question if form == "chat" else fact.opening
    return Sample(prompt=_CHAT.format(asked), completion=f"{sentence}{_END}")


def _sentence(fact: Fact) -> str:
    """The opening without what it repeats of the question, completed by the answer."""
    return f"{fact.opening.removeprefix(fact.question).strip()} {fact.answer}."
