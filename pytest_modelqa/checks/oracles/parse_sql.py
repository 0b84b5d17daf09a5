"""SQL through sqlglot's own dialect, a superset of the common ones. Loaded by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from pytest_modelqa.checks.oracles.parsing import NotCode


def statements(code: str) -> int:
    """Count statements that query or change something. Raises NotCode.

    Every statement must be understood, not only its first word. SELECT needs FROM, or nothing but
    literals and functions ("select one" is English); UPDATE needs SET, INSERT needs rows. BEGIN,
    COMMIT and the like are allowed, and count for nothing.
    """
    try:
        parsed = [s for s in sqlglot.parse(code) if s is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise NotCode(" ".join(str(error).split())[:160]) from None
    return sum(_weight(s) for s in parsed)


def _weight(statement: Any) -> int:
    if isinstance(statement, exp.Transaction | exp.Commit | exp.Rollback | exp.Semicolon):
        return 0
    shown = repr(str(statement)[:60])
    whole: dict[type[Any], Callable[[Any], bool]] = {
        exp.Select: _selects,
        exp.Update: lambda update: bool(update.expressions),
        exp.Insert: lambda insert: bool(insert.expression or insert.args.get("default")),
    }
    for kind, is_whole in whole.items():
        if isinstance(statement, kind):
            if not is_whole(statement):
                raise NotCode(f"an incomplete statement: {shown}")
            return 1
    changes = (exp.Query, exp.Delete, exp.Create, exp.Drop, exp.Alter, exp.Merge, exp.TruncateTable)
    if not isinstance(statement, changes):
        raise NotCode(f"not a statement that is understood: {shown}")
    return 1


def _selects(select: Any) -> bool:
    if select.args.get("from") or select.args.get("from_"):
        return True
    return bool(select.expressions) and not any(select.find_all(exp.Column, exp.Star))
