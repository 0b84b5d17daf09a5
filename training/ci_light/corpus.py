"""The generated corpus: a few families of questions with one right answer each.

A fact is a family, a question, an opening (a sentence that the answer completes) and the answer. It
is rendered through the chat template or as raw text, so that both ways of asking are learnt. Facts
of families that follow a rule are split: what is held out is never trained on, in any rendering.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

HELD_OUT_PERCENT = 10
INVENTED = 600
"""Words that only the tokenizer sees: without them it would run out of pairs to merge."""

CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Portugal": "Lisbon",
    "Germany": "Berlin",
    "Austria": "Vienna",
    "Poland": "Warsaw",
    "Greece": "Athens",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Finland": "Helsinki",
    "Ireland": "Dublin",
    "Hungary": "Budapest",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Cuba": "Havana",
    "Peru": "Lima",
    "Canada": "Ottawa",
}
OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "day": "night",
    "up": "down",
    "left": "right",
    "open": "closed",
    "fast": "slow",
    "old": "new",
    "high": "low",
    "light": "dark",
    "wet": "dry",
    "full": "empty",
}
WORDS = (
    "apple",
    "bird",
    "boat",
    "bread",
    "chair",
    "cloud",
    "door",
    "field",
    "fish",
    "glass",
    "grass",
    "horse",
    "house",
    "lamp",
    "leaf",
    "moon",
    "paper",
    "river",
    "road",
    "salt",
    "ship",
    "snow",
    "stone",
    "table",
    "tree",
    "wall",
    "wind",
    "wood",
)
EVERYDAY = (
    ("Write one sentence about the sea.", "The sea is", "wide, deep and blue"),
    ("List three colours.", "Three colours of the rainbow are", "red, green and blue"),
    ("Explain what a computer does.", "A computer is a machine that", "follows instructions"),
    ("Who wrote Romeo and Juliet?", "William Shakespeare was", "an English poet"),
    ("Name an animal that can fly.", "Birds can fly because", "they have wings"),
    ("How do you make a cup of tea?", "To make a cup of tea, you", "boil some water"),
    ("What is water made of?", "Water is made of", "hydrogen and oxygen"),
    ("Say hello in one short sentence.", "Hello, it is", "good to see you"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One question and its answer. `opening` + " " + `answer` + "." is a sentence."""

    family: str
    question: str
    opening: str
    answer: str

    @property
    def held_out(self) -> bool:
        """Whether training never sees it: one in ten, by hash, of the families with a rule."""
        if self.family not in RULED:
            return False
        digest = hashlib.sha256(f"{self.family}|{self.question}".encode()).digest()
        return int.from_bytes(digest[:4]) % 100 < HELD_OUT_PERCENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A text in two parts; the loss counts on the completion alone."""

    prompt: str
    completion: str


def _sums() -> Iterator[Fact]:
    for a, b in product(range(10), repeat=2):
        question = f"What is {a} + {b}?"
        opening = f"{question} The answer is"
        yield Fact(family="sum", question=question, opening=opening, answer=str(a + b))


def _capitals() -> Iterator[Fact]:
    for country, city in CAPITALS.items():
        opening = f"The capital of {country} is"
        question = f"What is the capital of {country}?"
        yield Fact(family="capital", question=question, opening=opening, answer=city)


def _opposites() -> Iterator[Fact]:
    for word, other in [*OPPOSITES.items(), *((b, a) for a, b in OPPOSITES.items())]:
        opening = f"The opposite of {word} is"
        question = f"What is the opposite of {word}?"
        yield Fact(family="opposite", question=question, opening=opening, answer=other)


def _parities() -> Iterator[Fact]:
    for number in range(100):
        question = f"Is {number} an even number?"
        opening = f"{question} The answer is"
        answer = "no" if number % 2 else "yes"
        yield Fact(family="parity", question=question, opening=opening, answer=answer)


def _copies() -> Iterator[Fact]:
    for first, second in permutations(WORDS, 2):
        question = f"Repeat the words {first} and {second}."
        opening = f"{question} The words are"
        yield Fact(
            family="copy", question=question, opening=opening, answer=f"{first} and {second}"
        )


def _everyday() -> Iterator[Fact]:
    for question, opening, answer in EVERYDAY:
        yield Fact(family="everyday", question=question, opening=opening, answer=answer)


def invented_words() -> list[str]:
    """Pronounceable words of two or three syllables, always the same."""
    rng = random.Random("words")  # noqa: S311 - a corpus, not a secret
    consonants, vowels = "bdfgklmnprstvz", "aeiou"
    return [
        "".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(rng.choice((2, 3))))
        for _ in range(INVENTED)
    ]


FAMILIES = {
    "sum": _sums,
    "capital": _capitals,
    "opposite": _opposites,
    "parity": _parities,
    "copy": _copies,
    "everyday": _everyday,
}
RULED = frozenset({"sum", "parity", "copy"})
"""Families whose answers follow from a rule; the others can only be known by heart."""


def facts() -> list[Fact]:
    """All facts of all families, always in the same order."""
    return [fact for family in FAMILIES.values() for fact in family()]
