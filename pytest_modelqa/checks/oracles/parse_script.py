"""JavaScript and TypeScript through tree-sitter's grammars: trees of them, and their statements.

Loaded by name: the grammars are heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Node

from pytest_modelqa.checks.oracles.parsing import NotCode

_STATEMENTS = frozenset({
    "function_declaration", "generator_function_declaration", "class_declaration",
    "import_statement", "export_statement", "if_statement", "for_statement", "for_in_statement",
    "while_statement", "do_statement", "switch_statement", "try_statement",
    "interface_declaration", "type_alias_declaration", "enum_declaration",
    "abstract_class_declaration", "internal_module", "module", "ambient_declaration",
})  # fmt: skip
_DECLARATIONS = ("lexical_declaration", "variable_declaration")
_DOING = frozenset({
    "assignment_expression", "augmented_assignment_expression", "update_expression",
    "new_expression", "arrow_function", "function_expression", "await_expression",
})  # fmt: skip


_DIALECTS = {
    "javascript": tree_sitter_javascript.language,
    "typescript": tree_sitter_typescript.language_typescript,
    "tsx": tree_sitter_typescript.language_tsx,
}


def javascript(code: str) -> int:
    """Count top-level statements of JavaScript that are code. Raises NotCode.

    Declarations with a value, definitions, control flow, and expressions that call (the bracket
    touches the name), assign or create; a bare word, "Answer: Paris" (a label) and "let go" (a
    declaration without value) are none.
    """
    return statements_in(tree(code, "javascript"))


def typescript(code: str) -> int:
    """Count top-level statements of TypeScript, by the same rules. Raises NotCode."""
    return statements_in(tree(code, "typescript"))


def tree(code: str, dialect: str) -> Node:
    """The program's root: javascript, typescript or tsx. Raises NotCode with the first error."""
    parser = tree_sitter.Parser(grammar(dialect))
    root = parser.parse(code.encode("utf-8", "replace")).root_node
    if root.has_error:
        raise NotCode(_first_error(root))
    return root


@cache
def grammar(dialect: str) -> tree_sitter.Language:
    """A dialect's grammar, made once."""
    return tree_sitter.Language(_DIALECTS[dialect]())


def statements_in(root: Node) -> int:
    """The top-level statements of a program that are code, by the rules above."""
    return sum(_is_code(node) for node in root.named_children)


def everything_in(node: Node) -> Iterator[Node]:
    """The node and all named nodes below it."""
    waiting = [node]
    while waiting:
        waiting.extend((here := waiting.pop()).named_children)
        yield here


def text_of(node: Node) -> str:
    """The source of a node."""
    return (node.text or b"").decode("utf-8", "replace")


def line_of(node: Node) -> int:
    """The line where a node begins, from 1."""
    return node.start_point[0] + 1


def _is_code(node: Node) -> bool:
    if node.type in _DECLARATIONS:
        return any(c.child_by_field_name("value") for c in node.named_children)
    if node.type == "expression_statement":
        return any(inner.type in _DOING or _is_call(inner) for inner in everything_in(node))
    return node.type in _STATEMENTS


def _is_call(node: Node) -> bool:
    if node.type != "call_expression":
        return False
    function, arguments = (node.child_by_field_name(f) for f in ("function", "arguments"))
    return bool(function and arguments and function.end_byte == arguments.start_byte)


def _first_error(root: Node) -> str:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            return f"line {line_of(node)}: {node.type!r} is missing"
        if node.type == "ERROR":
            return f"line {line_of(node)}: cannot parse {text_of(node)[:40]!r}"
        waiting.extend(c for c in reversed(node.children) if c.has_error)
    return "the syntax tree has an error"
