"""Classes of a TypeScript program, and where they set themselves up. Loaded by name: tree-sitter.

What counts as logic: anything that runs when an object is made, so calls, `new`, assignments,
`await`, conditions and templates with values. Literals, collections of literals, and functions that
are only defined (arrow functions as fields) are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from pytest_modelqa.checks.oracles.parse_script import everything_in, line_of, text_of

_CLASSES = frozenset({"class_declaration", "abstract_class_declaration", "class"})
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
_RUNS = frozenset(
    {"call_expression", "new_expression", "await_expression", "template_substitution"}
)
_LITERALS = frozenset({
    "number", "string", "string_fragment", "escape_sequence", "true", "false", "null", "undefined",
    "regex", "regex_pattern", "regex_flags", "array", "object", "pair", "property_identifier",
    "computed_property_name", "as_expression", "satisfies_expression", "type_assertion",
    "non_null_expression", "parenthesized_expression", "unary_expression", "template_string",
    "comment",
})  # fmt: skip
_DORMANT = _FUNCTIONS | {"method_definition", "type_arguments", "type_annotation"}
_NAMES = frozenset({
    "identifier", "shorthand_property_identifier", "member_expression", "spread_element",
    "arguments", "this",
})  # fmt: skip
"""What may be handed on to `super(...)` beside literals."""
_HIDDEN = ("private", "protected")
_WRITES = frozenset({"assignment_expression", "augmented_assignment_expression"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A class: its flaws in words, whether it has fields, and whether it has setup of its own."""

    name: str
    base: str
    line: int
    flaws: tuple[str, ...]
    fields: int
    sets_up: bool


def classes_in(root: Node, init: str) -> list[Found]:
    """Every class of a program, nested and anonymous ones too, in order."""
    nodes = [n for n in everything_in(root) if n.is_named and n.type in _CLASSES]
    return [_found(n, init) for n in sorted(nodes, key=lambda n: n.start_byte)]


def _found(node: Node, init: str) -> Found:
    name = node.child_by_field_name("name")
    base = _base(node)
    members = _members(node)
    fields = [m for m in members if m.type == "public_field_definition" and not _has(m, "static")]
    flaws = [*_constructor_flaws(members, derived=bool(base)), *_field_flaws(fields)]
    return Found(
        name=text_of(name) if name else "(anonymous)",
        base=base,
        line=line_of(node),
        flaws=tuple(flaws),
        fields=sum(not _is_function(f.child_by_field_name("value")) for f in fields),
        sets_up=any(_sets_up(m) for m in members if _is_init(m, init)),
    )


def _members(node: Node) -> list[Node]:
    body = node.child_by_field_name("body")
    return body.named_children if body else []


def _base(node: Node) -> str:
    for heritage in node.named_children:
        if heritage.type == "class_heritage":
            for clause in heritage.named_children:
                if clause.type == "extends_clause":
                    return text_of(clause.named_children[0])
    return ""


def _constructor_flaws(members: list[Node], *, derived: bool) -> Iterator[str]:
    """What the constructors do beyond `super(...)`. An overload has no body and does nothing."""
    for member in members:
        if member.type == "method_definition" and _name(member) == "constructor":
            yield from _parameter_flaws(member)
            yield from _body_flaws(member, derived=derived)


def _parameter_flaws(constructor: Node) -> Iterator[str]:
    parameters = constructor.child_by_field_name("parameters")
    for parameter in parameters.named_children if parameters else ():
        at = line_of(parameter)
        if _has(parameter, "accessibility_modifier") or _has(parameter, "readonly"):
            yield f"line {at}: the constructor assigns the field {text_of(parameter)[:40]!r}"
        value, pattern = (parameter.child_by_field_name(f) for f in ("value", "pattern"))
        hidden = pattern is not None and any(n.type in _RUNS for n in everything_in(pattern))
        if hidden or (value and not _is_plain(value, _LITERALS)):
            yield f"line {at}: logic in a default value of the constructor"


def _body_flaws(constructor: Node, *, derived: bool) -> Iterator[str]:
    body = constructor.child_by_field_name("body")
    statements = body.named_children if body else []
    supers = 0
    for statement in statements:
        if statement.type in ("comment", "empty_statement"):
            continue
        call = _super_call(statement)
        supers += call is not None
        if call is None:
            line = text_of(statement).splitlines()[0]
            yield f"line {line_of(statement)}: the constructor holds {line[:50]!r}"
        elif not _is_plain(call, _LITERALS | _NAMES):
            yield f"line {line_of(statement)}: logic in the arguments of super(...)"
    if supers != derived:
        yield f"line {line_of(constructor)}: {_miscounted(supers, derived=derived)}"


def _miscounted(supers: int, *, derived: bool) -> str:
    if derived:
        return f"the constructor of a derived class calls super(...) {supers} times, not once"
    return "super(...) in a class that extends nothing"


def _super_call(statement: Node) -> Node | None:
    """The arguments, where a statement is a call of super and nothing else."""
    inner = statement.named_children
    if statement.type != "expression_statement" or len(inner) != 1:
        return None
    function = inner[0].child_by_field_name("function")
    called = inner[0].type == "call_expression" and function is not None
    return inner[0].child_by_field_name("arguments") if called and _is_super(function) else None


def _is_super(node: Node | None) -> bool:
    return node is not None and node.type == "super"


def _field_flaws(fields: list[Node]) -> Iterator[str]:
    for field in fields:
        value = field.child_by_field_name("value")
        if value and not _is_function(value) and not _is_plain(value, _LITERALS):
            where = f"line {line_of(field)}: the field {_name(field)!r}"
            yield f"{where} is initialised by logic, {text_of(value)[:40]!r}"


def _is_function(value: Node | None) -> bool:
    return value is not None and value.type in _FUNCTIONS


def _is_plain(node: Node, allowed: frozenset[str]) -> bool:
    """True where all of an expression is allowed; types and bodies of functions do not run."""
    if node.type in _DORMANT or _is_type(node):
        return True
    return node.type in allowed and all(_is_plain(c, allowed) for c in node.named_children)


def _is_type(node: Node) -> bool:
    """The type behind `as` or `satisfies`: any child of these but the first."""
    above = node.parent
    casts = ("as_expression", "satisfies_expression")
    return above is not None and above.type in casts and node != above.named_children[0]


def _is_init(member: Node, init: str) -> bool:
    """A method of an object, or a field that is a function, which callers can reach."""
    if _name(member) != init or _has(member, "static"):
        return False
    if any(text_of(c) in _HIDDEN for c in member.children if c.type == "accessibility_modifier"):
        return False
    if any(c.type in ("get", "set") for c in member.children):
        return False
    method = member.type == "method_definition"
    return method or _is_function(member.child_by_field_name("value"))


def _sets_up(init: Node) -> bool:
    """True where the method writes to the object, or has a method of the object do it."""
    function = init.child_by_field_name("value") or init
    body = function.child_by_field_name("body")
    return body is not None and any(map(_is_setup, everything_in(body)))


def _is_setup(node: Node) -> bool:
    if node.type in _WRITES:
        return _writes_to_this(node.child_by_field_name("left"))
    if node.type == "call_expression":
        return _calls_own(node)
    return False


def _writes_to_this(target: Node | None) -> bool:
    """`this.x`, `this.x.y`, `this['x']`, or a pattern that holds such a target."""
    if target is None:
        return False
    return any(_is_own(n) for n in everything_in(target))


def _is_own(node: Node) -> bool:
    if node.type not in ("member_expression", "subscript_expression"):
        return False
    within = node.child_by_field_name("object")
    return within is not None and (within.type in ("this", "super") or _is_own(within))


def _calls_own(call: Node) -> bool:
    """`this.load(x)`, `this.items.push(x)`, `super.init(x)`, `Object.assign(this, x)`."""
    function, arguments = (call.child_by_field_name(f) for f in ("function", "arguments"))
    if function is None or arguments is None:
        return False
    first = next(iter(arguments.named_children), None)
    assigns = text_of(function) == "Object.assign" and first is not None and first.type == "this"
    return assigns or _is_own(function)


def _name(member: Node) -> str:
    """The name of a member, quotes and brackets of a computed one aside."""
    name = member.child_by_field_name("name")
    return text_of(name).strip("[]'\"` ") if name else ""


def _has(node: Node, kind: str) -> bool:
    return any(child.type == kind for child in node.children)
