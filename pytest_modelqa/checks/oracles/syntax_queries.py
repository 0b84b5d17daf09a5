"""Queries over syntax trees through tree-sitter. Loaded by name: the grammars are heavy."""

from __future__ import annotations

from tree_sitter import Query, QueryCursor, QueryError

from pytest_modelqa.checks.oracles.parse_script import grammar, statements_in, text_of, tree
from pytest_modelqa.checks.oracles.parsing import NotCode

MAX_STATES = 10_000
"""Matches in progress that the cursor may hold: bounds the memory of a wide query."""


def compiled(query: str, language: str) -> Query:
    """Compile a query. Raises ValueError where it is none, or has no pattern."""
    try:
        made = Query(grammar(language), query)
    except QueryError as error:
        raise ValueError(f"query: not one of {language}: {error}") from None
    if not made.pattern_count:
        raise ValueError("query: it holds no pattern, so nothing can match")
    return made


def matches(code: str, query: str, language: str) -> list[str]:
    """The source of each match: of its first capture, or nothing where the query captures none.

    Raises NotCode where the code does not parse, or is prose that happens to.
    """
    root = tree(code, language)
    if not statements_in(root):
        raise NotCode("no statement in it")
    cursor = QueryCursor(compiled(query, language), match_limit=MAX_STATES)
    found = [
        next((text_of(n) for nodes in captures.values() for n in nodes), "")
        for _, captures in cursor.matches(root)
    ]
    if cursor.did_exceed_match_limit:
        raise NotCode(f"the query has more than {MAX_STATES:,} matches in progress")
    return found
