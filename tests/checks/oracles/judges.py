"""Functions that a playbook may name after `callable:`; some are wrong on purpose."""

from __future__ import annotations

from functools import partial
from typing import Any


def mentions(prompt: str, answer: str, *, word: str = "ready") -> bool:
    """The answer holds a word."""
    return word in answer and bool(prompt)


def explains(prompt: str, answer: str) -> tuple[bool, str]:
    """The same with a reason."""
    return "ready" in answer, f"{len(prompt)} and {len(answer)} characters"


def always(prompt: str, answer: str) -> bool:
    """A judge that always says yes."""
    return len(prompt + answer) >= 0


def says(prompt: str, answer: str, *, what: Any) -> Any:
    """Whatever it is told to."""
    return what if prompt and answer else False


class Judge:
    """A judge with a state, as a class, an object and methods."""

    def __init__(self, word: str = "ready") -> None:
        self.word = word

    def __call__(self, prompt: str, answer: str) -> bool:
        """The object is called."""
        return self.word in answer and bool(prompt)

    def method(self, prompt: str, answer: str) -> bool:
        """Bound to an object."""
        return self(prompt, answer)

    @staticmethod
    def static(prompt: str, answer: str) -> bool:
        """Of the class."""
        return Judge()(prompt, answer)

    @classmethod
    def of_class(cls, prompt: str, answer: str) -> tuple[bool, str]:
        """Of the class, with a reason."""
        return cls()(prompt, answer), "the class says so"


JUDGE = Judge()
PARTIAL = partial(mentions, word="ready")
LAMBDA = lambda prompt, answer: "ready" in answer  # noqa: E731, ARG005 - a judge without a name


def defaulted(prompt: str, answer: str, strict: bool = True) -> bool:
    """A third parameter with a value."""
    return strict and "ready" in answer and bool(prompt)


def many(*texts: str, **parameters: Any) -> bool:
    """Takes anything."""
    return "ready" in texts[1] and not parameters


def broken(prompt: str, answer: str) -> bool:
    """Always raises."""
    raise KeyError(prompt + answer)


async def later(prompt: str, answer: str) -> bool:
    """A coroutine is true, and says nothing."""
    return bool(prompt + answer)


def narrow(prompt: str) -> bool:
    """Takes too little."""
    return bool(prompt)


NUMBER = 7
