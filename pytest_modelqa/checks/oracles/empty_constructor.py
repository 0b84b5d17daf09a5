"""Empty constructor: classes of TypeScript that are made without effect and set up by `init()`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from pytest_modelqa.checks.oracles.parsing import NotCode
from pytest_modelqa.checks.oracles.pieces import Piece, whole_pieces
from pytest_modelqa.checks.oracles.text import unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified

TAGS = ("typescript", "ts", "tsx")
_SHOWN_FLAWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyConstructor:
    """Every class is made without effect, and a method `init` sets it up.

    TypeScript is parsed with tree-sitter; what does not parse falsifies. Of every class:

    - the constructor is empty, or calls `super(...)` and nothing else (once, where the class
      extends another; arguments without logic). No constructor at all is an empty one. Parameters
      that declare fields (`private x: X`) are assignments;
    - fields of objects have no value, or one without logic: a literal, a collection of literals, a
      function. Calls, `new`, names and conditions are logic. Static fields belong to no object.

    A class with fields has an `init` that callers can reach and that does setup: it writes to
    `this`, or calls a method of `this`, `super.init(...)` or `Object.assign(this, ...)`. It may
    inherit that from a class of the same answer. At least one class of the answer has setup of its
    own.
    """

    name: ClassVar[str] = "empty_constructor"

    init: str = "init"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_$][\w$]*", self.init):
            raise ValueError(f"init: {self.init!r} is no name of a method")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt may be answered by a class."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where there is a class and none has a flaw."""
        if bad := unjudgeable(answer):
            return bad
        pieces = whole_pieces(answer, "typescript", TAGS)
        if isinstance(pieces, Verdict):
            return pieces
        try:
            found = [c for piece in pieces for c in self._classes(piece)]
        except NotCode as error:
            return falsified(f"not typescript: {error}", tested=len(pieces))
        return self._verdict(found)

    def _classes(self, piece: Piece) -> list[Any]:
        parser, classes = (
            import_module(f"{__package__}.{m}") for m in ("parse_script", "typescript_classes")
        )
        dialect = "tsx" if piece.tag == "tsx" else "typescript"
        found: list[Any] = classes.classes_in(parser.tree(piece.code, dialect), self.init)
        return found

    def _verdict(self, classes: list[Any]) -> Verdict:
        if not classes:
            return falsified("no class in the TypeScript")
        flaws = [f"{c.name}, {flaw}" for c in classes for flaw in c.flaws]
        ready = _with_setup(classes)
        flaws += [
            f"{c.name}, line {c.line}: has fields, and no {self.init}() that sets them up"
            for c in classes
            if c.fields and not (c.sets_up or c.base in ready)
        ]
        if not flaws and not any(c.sets_up for c in classes):
            flaws = [f"no class has an {self.init}() that does setup"]
        if flaws:
            more = f"; and {len(flaws) - _SHOWN_FLAWS} more" if len(flaws) > _SHOWN_FLAWS else ""
            return falsified("; ".join(flaws[:_SHOWN_FLAWS]) + more, tested=len(classes))
        names = ", ".join(c.name for c in classes)
        return corroborated(f"empty constructor and {self.init}(): {names}", tested=len(classes))


def _with_setup(classes: list[Any]) -> set[str]:
    """Names of classes with setup, their own or of a class of the answer that they extend."""
    ready = {c.name for c in classes if c.sets_up}
    for _ in classes:
        ready |= {c.name for c in classes if c.base in ready}
    return ready
