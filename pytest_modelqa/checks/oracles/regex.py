"""Regex: the completion matches a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from pytest_modelqa.checks.oracles.text import quoted, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

MAX_PATTERN_CHARS = 1_000
MAX_TEXT_CHARS = 2_000
"""Longest completion that is matched: bounds backtracking that is polynomial."""
MAX_WIDE = 2
"""Most ".*" or ".+" in a pattern: each multiplies the time by the length of the text."""

Flag = Literal["ignore_case", "multi_line", "dot_all"]
_FLAGS = {"ignore_case": re.IGNORECASE, "multi_line": re.MULTILINE, "dot_all": re.DOTALL}
# A repeated group that holds a repetition or an alternative: backtracking may be exponential.
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*(?:[*+|]|\{\d+,)(?:[^()\\]|\\.)*\)(?:[*+]|\{\d+,)")
_WIDE = re.compile(r"(?<!\\)\.[*+]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regex:
    """The pattern (Python's `re`) is found anywhere in the completion, or is all of it with `full`.

    Refused when the playbook is loaded: a pattern that does not compile, that matches the empty
    text, or that repeats a group which holds a repetition or alternatives ("(a+)+", "(a|b)*": their
    backtracking can take for ever; write "[ab]*"). So is a pattern with more than two of ".*" and
    ".+". A completion beyond 2,000 characters is inconclusive. With `full`, white space around the
    completion is ignored.
    """

    name: ClassVar[str] = "regex"

    pattern: str
    flags: tuple[Flag, ...] = ()
    full: bool = False

    def __post_init__(self) -> None:
        if unknown := set(self.flags) - _FLAGS.keys():
            raise ValueError(f"flags: {', '.join(sorted(unknown))} unknown; {', '.join(_FLAGS)}")
        if len(self.pattern) > MAX_PATTERN_CHARS:
            raise ValueError(f"pattern: longer than {MAX_PATTERN_CHARS} characters")
        if nested := _NESTED.search(self.pattern):
            raise ValueError(
                f"pattern: {nested.group()!r} repeats a group that holds a repetition or "
                "alternatives; matching it can take for ever"
            )
        if len(_WIDE.findall(self.pattern)) > MAX_WIDE:
            raise ValueError(f"pattern: more than {MAX_WIDE} of '.*' and '.+' take too long")
        if self._compiled().search("") and not self.full:
            raise ValueError(f"pattern: {self.pattern!r} matches the empty text, so everything")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: the pattern was checked when it was made."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where the pattern matches."""
        if bad := unjudgeable(answer):
            return bad
        text = answer.text.strip() if self.full else answer.text
        if len(text) > MAX_TEXT_CHARS:
            return inconclusive(
                f"{len(text)} characters, regex judges up to {MAX_TEXT_CHARS}",
                remedy="lower max_tokens, or use another oracle",
            )
        pattern = self._compiled()
        found = pattern.fullmatch(text) if self.full else pattern.search(text)
        if not found:
            return falsified(f"{self.pattern!r} does not match {quoted(text)}")
        return corroborated(f"{self.pattern!r} matches {quoted(found.group())}", tested=1)

    def _compiled(self) -> re.Pattern[str]:
        flags = re.NOFLAG
        for flag in self.flags:
            flags |= _FLAGS[flag]
        try:
            return re.compile(self.pattern, flags)
        except re.error as error:
            raise ValueError(
                f"pattern: {self.pattern!r} is no regular expression: {error}"
            ) from None
