"""Length: the completion is within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from pytest_modelqa.checks.oracles.text import unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Between `min` and `max` (both included) characters, words or tokens; at least one is given.

    Characters are code points without white space at both ends, words are separated by white space,
    tokens are the generated ids without the stop token. A completion that was cut off and is still
    within the bounds is inconclusive where a `max` is given: nobody knows its length.
    """

    name: ClassVar[str] = "length"

    unit: Literal["chars", "words", "tokens"] = "words"
    min: Annotated[int, Ge(0)] | None = None
    max: Annotated[int, Ge(1)] | None = None

    def __post_init__(self) -> None:
        if self.unit not in ("chars", "words", "tokens"):
            raise ValueError(f"unit: {self.unit!r} is none of chars, words, tokens")
        if self.min is None and self.max is None:
            raise ValueError("length needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: no text can pass")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt's answers have a length."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated within the bounds."""
        if bad := unjudgeable(answer):
            return bad
        size = self._size(answer)
        cut = answer.finish != "stop"
        if self.max is not None and size > self.max:
            return falsified(f"{size} {self.unit}, at most {self.max} expected")
        if self.max is not None and cut:
            return inconclusive(
                f"{size} {self.unit} when it was cut off, so its length is unknown",
                tested=1,
                remedy="raise max_tokens",
            )
        if self.min is not None and size < self.min:
            return self._too_short(size, cut)
        return corroborated(f"{size} {self.unit}", tested=size)

    def _too_short(self, size: int, cut: bool) -> Verdict:
        reason = f"{size} {self.unit}, at least {self.min} expected"
        if cut:
            return inconclusive(
                f"{reason}, but it was cut off", tested=1, remedy="raise max_tokens"
            )
        return falsified(reason)

    def _size(self, answer: Generation) -> int:
        text = answer.text.strip()
        if self.unit == "tokens":
            return len(answer.ids)
        return len(text) if self.unit == "chars" else len(text.split())
