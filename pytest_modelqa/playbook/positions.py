"""YAML to a tree in which every value knows its file, line and column.

Read with PyYAML's C `compose`: nodes and marks, no construction of objects. Scalars follow the
core schema of YAML 1.2, so `no`, `on`, `1:30`, `012` and dates stay text, and `1e-5` is a float;
keys are always text. `.inf` and `.nan` stay text too: no field takes them. Refused, with a
position: duplicate keys, merge keys, tags other than the core schema's, and what grows beyond the
limits below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.reader import Reader

from pytest_modelqa.core.errors import PlaybookError, Problem, UsageError

MAX_BYTES = 1 << 20
"""A playbook of 1 MiB holds some 10,000 scenarios; more is a mistaken file."""
MAX_VALUES = 100_000
"""After aliases are expanded: a "billion laughs" file stops here."""
MAX_DEPTH = 64
MAX_DIGITS = 18
"""Longer integers stay text, and so are refused where a number is expected."""

Key = str | int
_TAB = "invalid YAML: a tab; indent with spaces"
_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", re.ASCII
)
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Every unquoted scalar is of one private type: YAML 1.1's surprises never happen."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {None: [(_PLAIN, re.compile(""))]}


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands; `line` and `column` count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Tree:
    """A value with its position, and that of its key. Mappings and lists hold trees."""

    value: Any
    at: Position
    key_at: Position | None = None

    @property
    def head(self) -> Position:
        """The key where there is one, else the value."""
        return self.key_at or self.at

    def plain(self) -> Any:
        """The value as JSON-able data."""
        if isinstance(self.value, dict):
            return {k: v.plain() for k, v in self.value.items()}
        if isinstance(self.value, list):
            return [v.plain() for v in self.value]
        return self.value

    def child(self, key: Key) -> Tree | None:
        """The tree under one key or index."""
        found: Tree | None = None
        if isinstance(self.value, dict):
            found = self.value.get(key)
        elif isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            found = self.value[key]
        return found

    def nearest(self, path: tuple[Key, ...]) -> Tree:
        """The tree at `path`, or its closest ancestor that exists."""
        here = self
        for key in path:
            child = here.child(key)
            if child is None:
                break
            here = child
        return here


@dataclass(frozen=True, slots=True)
class Flaw:
    """A mistake before it becomes a `Problem`: it may stand in a file that is extended."""

    at: Position
    path: tuple[Key, ...]
    message: str

    @property
    def problem(self) -> Problem:
        """The mistake without its file."""
        return Problem(self.at.line, self.at.column, dotted(self.path), self.message)


def dotted(path: tuple[Key, ...]) -> str:
    """`("a", "b", 2)` as `a.b[2]`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def read_bytes(path: Path) -> bytes:
    """The file's bytes, at most `MAX_BYTES`. Raises UsageError where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(
            "no such playbook", where=str(path), remedy="modelqa init ORG/NAME writes one"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(data) > MAX_BYTES:
        raise _fatal(str(path), 1, 1, f"larger than {MAX_BYTES:,} bytes: not a playbook")
    return data


def parse(data: bytes, file: str) -> tuple[Tree, list[Flaw]]:
    """The document's tree, and the mistakes that do not keep the rest from being read.

    Raises PlaybookError where the bytes are no single YAML mapping.
    """
    node = _compose(_text(data, file), file)
    if node is None:
        raise _fatal(file, 1, 1, "the file is empty; `modelqa init ORG/NAME` writes a playbook")
    if not isinstance(node, yaml.MappingNode):
        mark = node.start_mark
        raise _fatal(file, mark.line + 1, mark.column + 1, "not a mapping such as `version: ...`")
    builder = _Builder(file)
    return builder.tree(node, ()), builder.flaws


def _text(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise _fatal(file, line, column, f"not UTF-8: byte 0x{data[error.start]:02x}") from None
    if bad := Reader.NON_PRINTABLE.search(text):
        before_text = text[: bad.start()]
        line, column = before_text.count("\n") + 1, bad.start() - before_text.rfind("\n")
        raise _fatal(file, line, column, f"character U+{ord(bad[0]):04X} is not allowed in YAML")
    return text


def _compose(text: str, file: str) -> Any:
    try:
        _refuse_deep(text, file)
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        here = text.splitlines()[line - 1 : line]
        tab = bool(here) and here[0][column - 1 : column] == "\t"
        raise _fatal(file, line, column, _TAB if tab else _explained(error)) from None


def _refuse_deep(text: str, file: str) -> None:
    """Count levels on events first: composing `[[[[...` recurses in C until the process dies."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark: Any = event.start_mark
            where = mark.line + 1, mark.column + 1
            raise _fatal(file, *where, f"nested deeper than {MAX_DEPTH} levels")


def _explained(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "another document" in problem or "single document" in (error.context or ""):
        return "a second document starts here (`---`); a playbook is one document"
    context = f" {error.context}" if error.context else ""
    return f"invalid YAML: {problem}{context}"


def _fatal(file: str, line: int, column: int, message: str) -> PlaybookError:
    return PlaybookError(file, [Problem(line, column, "", message)])


class _Builder:
    """Turns nodes into trees within the limits; an alias counts as often as it is used."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.flaws: list[Flaw] = []
        self._made = count(1)

    def tree(self, node: Any, path: tuple[Key, ...], key_at: Position | None = None) -> Tree:
        at = self._position(node)
        if next(self._made) > MAX_VALUES:
            raise _fatal(
                self.file, at.line, at.column, f"more than {MAX_VALUES:,} values: aliases expand"
            )
        if len(path) > MAX_DEPTH:
            raise _fatal(
                self.file,
                at.line,
                at.column,
                f"nested deeper than {MAX_DEPTH} levels, or in itself",
            )
        return Tree(self._value(node, path, at), at, key_at)

    def _value(self, node: Any, path: tuple[Key, ...], at: Position) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, at)
        kind = "seq" if isinstance(node, yaml.SequenceNode) else "map"
        if node.tag != _TAG + kind:
            self._flaw(at, path, f"the tag {_shown(node.tag)} is not supported; remove it")
        if isinstance(node, yaml.SequenceNode):
            return [self.tree(child, (*path, i)) for i, child in enumerate(node.value)]
        return dict(self._entries(node, path))

    def _entries(self, node: Any, path: tuple[Key, ...]) -> Iterator[tuple[str, Tree]]:
        seen: dict[str, Position] = {}
        for key_node, value_node in node.value:
            at = self._position(key_node)
            key = self._key(key_node, path, at)
            if key is None:
                continue
            if key in seen:
                first = f"{seen[key].line}:{seen[key].column}"
                self._flaw(at, (*path, key), f"duplicate key {key!r}; the first is at {first}")
                continue
            seen[key] = at
            yield key, self.tree(value_node, (*path, key), at)

    def _key(self, node: Any, path: tuple[Key, ...], at: Position) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._flaw(at, path, "a key must be text, not a list or a mapping")
            return None
        key = str(node.value)
        if key == "<<" and not node.style:
            self._flaw(at, path, "merge keys (<<) are not supported; write the keys out")
            return None
        return key

    def _scalar(self, node: Any, path: tuple[Key, ...], at: Position) -> Any:
        text = str(node.value)
        if node.tag == _PLAIN:
            return plain_scalar(text)
        if node.tag == _TAG + "str":
            return text
        kind = node.tag.removeprefix(_TAG)
        value = plain_scalar(text)
        if kind in _TYPES and isinstance(value, _TYPES[kind]):
            return value
        self._flaw(at, path, f"the tag {_shown(node.tag)} is not supported here; remove it")
        return text

    def _position(self, node: Any) -> Position:
        mark = node.start_mark
        return Position(self.file, mark.line + 1, mark.column + 1)

    def _flaw(self, at: Position, path: tuple[Key, ...], message: str) -> None:
        self.flaws.append(Flaw(at, path, message))


_TYPES: Mapping[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}


def plain_scalar(text: str) -> Any:
    """An unquoted scalar by YAML 1.2's core schema, without octal, hex, inf and nan."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text) if len(text) <= MAX_DIGITS else text
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _shown(tag: str) -> str:
    return tag.replace(_TAG, "!!")
