"""Code syntax: what the completion gives as code parses. Real parsers; nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, ClassVar, Literal, NamedTuple

from annotated_types import Ge

from pytest_modelqa.checks.oracles.parsing import NotCode
from pytest_modelqa.checks.oracles.pieces import Piece, whole_pieces
from pytest_modelqa.checks.oracles.text import unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified

Language = Literal["python", "javascript", "typescript", "json", "yaml", "sql"]


class Grammar(NamedTuple):
    """Tags of fenced blocks, and "module:function" that counts statements.

    Parsers are heavy, so their modules are imported when the first completion is judged.
    """

    tags: tuple[str, ...]
    fenced: str
    bare: str = ""

    def statements(self, code: str, *, fenced: bool) -> int:
        """Statements, or entries. Raises NotCode."""
        module, function = (self.fenced if fenced else self.bare or self.fenced).split(":")
        parser = import_module(f"{__package__}.{module}")
        return int(getattr(parser, function)(code))


GRAMMARS: dict[str, Grammar] = {
    "python": Grammar(("python", "py", "python3"), "parse_python:statements"),
    "javascript": Grammar(("javascript", "js", "jsx", "node"), "parse_script:javascript"),
    "typescript": Grammar(("typescript", "ts"), "parse_script:typescript"),
    "json": Grammar(("json",), "parse_json:entries"),
    "yaml": Grammar(("yaml", "yml"), "parse_yaml:fenced_entries", "parse_yaml:bare_entries"),
    "sql": Grammar(("sql", "mysql", "postgresql", "sqlite"), "parse_sql:statements"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSyntax:
    """Each piece of code parses, and together they hold at least `min_statements` statements.

    Pieces are the fenced blocks tagged with the language (`py`, `js`, `ts`, `yml` … included), else
    the untagged blocks, else, in a completion without fences, all of it; blocks of other languages
    alone falsify. Prose is no code, though a word is a valid expression: what counts as a statement
    is said with each parser. For JSON and YAML, entries at the top count.

    Code that `max_tokens` or the context cut off is a prefix, so it is left out; where nothing else
    is there to judge, the verdict is inconclusive.
    """

    name: ClassVar[str] = "code_syntax"

    language: Language
    min_statements: Annotated[int, Ge(1)] = 1

    def __post_init__(self) -> None:
        if self.language not in GRAMMARS:
            raise ValueError(f"language: {self.language!r} is none of {', '.join(GRAMMARS)}")
        if self.min_statements < 1:
            raise ValueError("min_statements: at least 1, or prose would pass")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt may be answered in code."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where all pieces parse."""
        if bad := unjudgeable(answer):
            return bad
        pieces = whole_pieces(answer, self.language, GRAMMARS[self.language].tags)
        return pieces if isinstance(pieces, Verdict) else self._verdict(pieces)

    def _verdict(self, pieces: list[Piece]) -> Verdict:
        grammar = GRAMMARS[self.language]
        try:
            found = sum(grammar.statements(p.code, fenced=p.fenced) for p in pieces)
        except NotCode as error:
            return falsified(f"not {self.language}: {error}", tested=len(pieces))
        if found < self.min_statements:
            return falsified(
                f"{found} statements of {self.language}, at least {self.min_statements} expected",
                tested=len(pieces),
            )
        return corroborated(f"{found} statements of {self.language} parse", tested=found)
