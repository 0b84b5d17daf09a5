"""Contains: the completion holds the expected texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen

from pytest_modelqa.checks.oracles.text import judged_text, quoted, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    """All (or any) of the expected texts occur in the completion, by default as whole words.

    A whole word has no letter, digit or underscore touching it, and no digit beyond a comma or full
    stop: "Paris" is in "Paris." and not in "Parisian", "4" neither in "14" nor in "2.4". Scripts
    that write no spaces need `whole_word: false`. Any white space in an expected text stands for
    any white space in the completion. Case is ignored by default (casefold).
    """

    name: ClassVar[str] = "contains"

    expected: str | Annotated[tuple[str, ...], MinLen(1)]
    match: Literal["all", "any"] = "all"
    ignore_case: bool = True
    whole_word: bool = True

    def __post_init__(self) -> None:
        if not self.texts or not all(t.strip() for t in self.texts):
            raise ValueError("expected: an empty text is contained in everything")
        if self.match not in ("all", "any"):
            raise ValueError(f"match: {self.match!r} is neither 'all' nor 'any'")

    @property
    def texts(self) -> tuple[str, ...]:
        """The expected texts as a tuple."""
        return (self.expected,) if isinstance(self.expected, str) else tuple(self.expected)

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt's answers can be searched."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where enough of the texts are found."""
        if bad := unjudgeable(answer):
            return bad
        missing = [t for t in self.texts if not self._is_in(judged_text(answer), t)]
        found = len(self.texts) - len(missing)
        if missing and (self.match == "all" or not found):
            wanted = ", ".join(map(quoted, missing))
            return falsified(f"lacks {wanted}: {quoted(answer.text)}", tested=len(self.texts))
        return corroborated(f"holds {found} of {len(self.texts)} texts", tested=len(self.texts))

    def _is_in(self, text: str, wanted: str) -> bool:
        if self.ignore_case:
            text, wanted = text.casefold(), wanted.casefold()
        pattern = r"\s+".join(map(re.escape, wanted.split()))
        if self.whole_word:
            pattern = rf"(?<!\w)(?<!\d[.,]){pattern}(?!\w)(?![.,]\d)"
        return re.search(pattern, text) is not None
