"""Python through `ast`, never executed."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from pytest_modelqa.checks.oracles.parsing import NotCode

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BINDINGS = (ast.Assign, ast.AugAssign)
# What counts inside of a compound statement only: "raise taxes" and "global warming" parse, too.
_INNER = (
    ast.Return, ast.Raise, ast.Pass, ast.Break, ast.Continue,
    ast.Import, ast.ImportFrom, ast.Delete, ast.Assert, ast.Global, ast.Nonlocal,
)  # fmt: skip


def statements(code: str) -> int:
    """Count top-level statements that are code.

    Definitions, assignments, calls whose bracket touches the name, and compound statements that
    hold some of these. Bare expressions, annotations without value and lone imports are none: every
    English word is a Python expression, and "Answer: Paris" an annotation. Raises NotCode.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except SyntaxError as error:
        raise NotCode(f"line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotCode(f"the parser gives up: {error or type(error).__name__}") from None
    lines = code.splitlines()
    counted = sum(_is_code(s, lines) for s in tree.body)
    imports = sum(isinstance(s, ast.Import | ast.ImportFrom) for s in tree.body)
    return counted + (imports if counted else 0)


def _is_code(statement: ast.stmt, lines: list[str]) -> bool:
    match statement:
        case ast.AnnAssign(value=value):
            return value is not None
        case ast.Expr(value=value):
            return any(_is_call(node, lines) for node in ast.walk(value))
        case ast.Raise(exc=ast.Call()):
            return True
        case _ if isinstance(statement, _DEFINITIONS + _BINDINGS):
            return True
    return any(isinstance(s, _INNER) or _is_code(s, lines) for s in _children(statement))


def _children(statement: ast.stmt) -> Iterator[ast.stmt]:
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.stmt):
            yield node
        elif isinstance(node, ast.ExceptHandler | ast.match_case):
            yield from node.body


def _is_call(node: ast.AST, lines: list[str]) -> bool:
    """True for `f(x)` and not for "Sure (thing)". Columns are UTF-8 bytes."""
    if not isinstance(node, ast.Call):
        return False
    line, column = node.func.end_lineno, node.func.end_col_offset
    if line is None or column is None:
        return False
    return lines[line - 1].encode()[column : column + 1] in (b"(", b")")
