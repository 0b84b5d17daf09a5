"""Text oracles: each judges one completion, and is a playbook parameter set at the same time."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from pytest_modelqa.checks.oracles.arithmetic import Arithmetic
from pytest_modelqa.checks.oracles.code_syntax import CodeSyntax
from pytest_modelqa.checks.oracles.completeness import Completeness
from pytest_modelqa.checks.oracles.contains import Contains
from pytest_modelqa.checks.oracles.empty_constructor import EmptyConstructor
from pytest_modelqa.checks.oracles.exact import Exact
from pytest_modelqa.checks.oracles.garbage import Garbage, garbage_in
from pytest_modelqa.checks.oracles.json_schema import JsonSchema
from pytest_modelqa.checks.oracles.length import Length
from pytest_modelqa.checks.oracles.markdown_sections import MarkdownSections
from pytest_modelqa.checks.oracles.pdca_quality import PdcaQuality
from pytest_modelqa.checks.oracles.pdca_schema import PdcaSchema
from pytest_modelqa.checks.oracles.python_callable import PythonCallable
from pytest_modelqa.checks.oracles.refusal import Refusal
from pytest_modelqa.checks.oracles.regex import Regex
from pytest_modelqa.checks.oracles.tool_call import ToolCall
from pytest_modelqa.checks.oracles.tree_sitter_query import TreeSitterQuery
from pytest_modelqa.checks.oracles.tron import Tron
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.errors import UsageError

__all__ = ["ENTRY_POINTS", "ORACLES", "garbage_in", "oracle_table"]

ENTRY_POINTS = "modelqa.oracles"
"""The entry-point group through which other distributions add oracles."""

ORACLES: tuple[type[Oracle], ...] = (
    Arithmetic,
    CodeSyntax,
    Completeness,
    Contains,
    EmptyConstructor,
    Exact,
    Garbage,
    JsonSchema,
    Length,
    MarkdownSections,
    PdcaQuality,
    PdcaSchema,
    PythonCallable,
    Refusal,
    Regex,
    ToolCall,
    TreeSitterQuery,
    Tron,
)


def oracle_table() -> dict[str, type[Oracle]]:
    """Our oracles and those of installed plugins, by name.

    Raises UsageError where a plugin does not import, names no oracle, or takes a name twice.
    """
    table = {oracle.name: oracle for oracle in ORACLES}
    for point in entry_points(group=ENTRY_POINTS):
        oracle = _loaded(point)
        if oracle.name in table:
            raise UsageError(
                f"two oracles are named {oracle.name!r}",
                where=_origin(point),
                remedy="rename the plugin's oracle, or uninstall one of the plugins",
            )
        table[oracle.name] = oracle
    return table


def _loaded(point: EntryPoint) -> type[Oracle]:
    try:
        oracle = point.load()
    except Exception as error:
        raise UsageError(
            f"the oracle plugin does not import: {type(error).__name__}: {error}",
            where=_origin(point),
            remedy="repair or uninstall that distribution",
        ) from error
    missing = [a for a in ("name", "problem_with", "judge") if not hasattr(oracle, a)]
    if missing or not isinstance(oracle, type):
        raise UsageError(
            f"{point.value} is no oracle class (lacks {', '.join(missing) or 'being a class'})",
            where=_origin(point),
            remedy="see docs/oracles.md, 'Own oracles'",
        )
    return oracle


def _origin(point: EntryPoint) -> str:
    distribution = point.dist.name if point.dist else "unknown distribution"
    return f"{distribution}, entry point {point.name} = {point.value}"
