"""Frozen dataclasses to plain JSON values and back, for evidence and for the worker's pipe.

A value is written as its fields plus `kind`, its class name (`class`, where a field is called
`kind`). Reading is strict: an unknown kind or
field, or a missing one without default, raises ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pytest_modelqa.core.answer import ANSWERS, Answer
from pytest_modelqa.core.comparison import ANSWERS as COMPARED
from pytest_modelqa.core.comparison import REQUESTS as COMPARISONS
from pytest_modelqa.core.request import REQUESTS, Request

T = TypeVar("T")

Reader = Callable[[Any], Any]

_SAME = frozenset({str, int, bool, type(None)})
"""What is the same in JSON and in memory; ids are by far the most of what is written."""

_REQUESTS = {c.__name__: c for c in (*REQUESTS, *COMPARISONS)}
_ANSWERS = {c.__name__: c for c in (*ANSWERS, *COMPARED)}


def encode(value: Any) -> Any:
    """Turn a value of `core` into JSON-able data. NaN and Inf become `{"kind": "float", ...}`."""
    kind = type(value)
    return value if kind in _SAME else _writer(kind)(value)  # type: ignore[arg-type]


@cache
def _writer(kind: Hashable) -> Callable[[Any], Any]:
    """How values of a type are written; ten thousand results are written in one run."""
    assert isinstance(kind, type)
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, float):
        return _finite
    if issubclass(kind, (tuple, list)):
        return lambda values: [v if type(v) in _SAME else encode(v) for v in values]
    if not is_dataclass(kind):
        return lambda value: value
    names = tuple(f.name for f in fields(kind))
    tag = _tag(names)

    def write(value: Any) -> dict[str, Any]:
        written: dict[str, Any] = {tag: kind.__name__}
        for name in names:
            part = getattr(value, name)
            written[name] = part if type(part) in _SAME else encode(part)
        return written

    return write


def _finite(value: float) -> Any:
    return value if math.isfinite(value) else {"kind": "float", "text": repr(value)}


def _tag(names: Iterable[str]) -> str:
    """Under which key a class's name is written."""
    return "class" if "kind" in names else "kind"


def decode_request(data: Any) -> Request:
    """The inverse of `encode` for requests."""
    kind: type[Request] = _one_of(_REQUESTS, data)
    return decode(kind, data)


def decode_answer(data: Any) -> Answer:
    """The inverse of `encode` for answers."""
    kind: type[Answer] = _one_of(_ANSWERS, data)
    return decode(kind, data)


def decode(kind: type[T], data: Any) -> T:
    """The inverse of `encode` for one dataclass. Raises ValueError where data is not of it."""
    readers, needed = _readers(kind)  # type: ignore[arg-type]
    tag = _tag(readers)
    if not isinstance(data, dict) or data.get(tag) != kind.__name__:
        raise ValueError(f"not a {kind.__name__}: {str(data)[:80]}")
    if unknown := data.keys() - readers.keys() - {tag}:
        raise ValueError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
    if missing := needed - data.keys():
        raise ValueError(f"{kind.__name__} lacks {', '.join(sorted(missing))}")
    return kind(**{name: readers[name](value) for name, value in data.items() if name != tag})


def _one_of(table: dict[str, Any], data: Any) -> Any:
    name = data.get("kind") if isinstance(data, dict) else None
    if name not in table:
        raise ValueError(f"not one of {', '.join(table)}: {str(data)[:80]}")
    return table[name]


@cache
def _readers(kind: Hashable) -> tuple[dict[str, Reader], frozenset[str]]:
    """How each field of a dataclass is read, and which have no default."""
    assert isinstance(kind, type)
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    own = fields(kind)
    needed = (f.name for f in own if f.default is MISSING and f.default_factory is MISSING)
    return {f.name: _reader(hints[f.name]) for f in own}, frozenset(needed)


@cache
def _reader(hint: Any) -> Reader:
    """How a value is read where `hint` is expected."""
    if get_origin(hint) is tuple:
        each = _reader(get_args(hint)[0])
        return lambda value: (
            tuple(v if type(v) in _SAME else each(v) for v in value)
            if isinstance(value, list)
            else _number(value)
        )
    if get_origin(hint) in (Union, UnionType):
        kinds = {k.__name__: k for k in get_args(hint) if is_dataclass(k) and isinstance(k, type)}
        return lambda value: _one_of_union(kinds, value)
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(decode, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return _number


def _one_of_union(kinds: dict[str, type[Any]], value: Any) -> Any:
    """A dataclass of the union by its kind; what is none is read as a number, text or null."""
    name = value.get("class", value.get("kind", "")) if isinstance(value, dict) else ""
    kind = kinds.get(str(name))
    return decode(kind, value) if kind else _number(value)


def _number(value: Any) -> Any:
    """NaN and Inf stand in an object of their own."""
    if isinstance(value, dict) and value.get("kind") == "float":
        return float(value["text"])
    return value
