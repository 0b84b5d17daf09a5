"""Tree-sitter query: the code of the completion has, or lacks, what a query describes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge

from pytest_modelqa.checks.oracles.parsing import NotCode
from pytest_modelqa.checks.oracles.pieces import Piece, whole_pieces
from pytest_modelqa.checks.oracles.text import quoted, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified

Language = Literal["javascript", "typescript", "tsx"]
TAGS: dict[str, tuple[str, ...]] = {
    "javascript": ("javascript", "js", "jsx", "node"),
    "typescript": ("typescript", "ts"),
    "tsx": ("tsx",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSitterQuery:
    """Between `min_matches` and `max_matches` matches of a tree-sitter query, both included.

    Pieces of code are chosen as by `code_syntax`; all must parse and hold code, then the matches of
    all are counted. `max_matches: 0` with `min_matches: 0` asks that nothing matches. Without
    `max_matches` there is no upper limit. Refused when the playbook is loaded: a query that does
    not compile for the grammar, and limits that everything or nothing can meet.
    """

    name: ClassVar[str] = "tree_sitter_query"

    language: Language
    query: str
    min_matches: Annotated[int, Ge(0)] = 1
    max_matches: Annotated[int, Ge(0)] | None = None

    def __post_init__(self) -> None:
        if self.language not in TAGS:
            raise ValueError(f"language: {self.language!r} is none of {', '.join(TAGS)}")
        if self.min_matches < 0 or (self.max_matches is None and self.min_matches < 1):
            raise ValueError("min_matches: 0 without max_matches is met by all code")
        if self.max_matches is not None and self.max_matches < self.min_matches:
            raise ValueError(f"max_matches: below min_matches, {self.min_matches}")
        _queries().compiled(self.query, self.language)

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt may be answered in code."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where all pieces parse and the count is right."""
        if bad := unjudgeable(answer):
            return bad
        pieces = whole_pieces(answer, self.language, TAGS[self.language])
        return pieces if isinstance(pieces, Verdict) else self._verdict(pieces)

    def _verdict(self, pieces: list[Piece]) -> Verdict:
        try:
            found = [
                text
                for p in pieces
                for text in _queries().matches(p.code, self.query, self.language)
            ]
        except NotCode as error:
            return falsified(f"not {self.language}: {error}", tested=len(pieces))
        most = len(found) if self.max_matches is None else self.max_matches
        if not self.min_matches <= len(found) <= most:
            said = f", the first {quoted(found[0])}" if found else ""
            return falsified(f"{len(found)} matches{said}; {self._wanted()}", tested=len(pieces))
        return corroborated(f"{len(found)} matches; {self._wanted()}", tested=len(pieces))

    def _wanted(self) -> str:
        if self.max_matches is None:
            return f"at least {self.min_matches} expected"
        return f"{self.min_matches} to {self.max_matches} expected"


def _queries() -> Any:
    return import_module(f"{__package__}.syntax_queries")
