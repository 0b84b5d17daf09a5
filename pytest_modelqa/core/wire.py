"""Frozen dataclasses to plain JSON values and back, for evidence and for the worker's pipe.

A value is written as its fields plus `kind`, its class name. Reading is strict: an unknown kind or
field, or a missing one without default, raises ValueError.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pytest_modelqa.core.answer import ANSWERS, Answer
from pytest_modelqa.core.request import REQUESTS, Request

T = TypeVar("T")

_PLAIN = (int, float)
"""What is the same in JSON and in memory; ids are by far the most of what is written."""

_REQUESTS = {c.__name__: c for c in REQUESTS}
_ANSWERS = {c.__name__: c for c in ANSWERS}


def encode(value: Any) -> Any:
    """Turn a value of `core` into JSON-able data. NaN and Inf become `{"kind": "float", ...}`."""
    if isinstance(value, str | int):
        return value.value if isinstance(value, Enum) else value
    if is_dataclass(value) and not isinstance(value, type):
        body = {name: encode(getattr(value, name)) for name in _names(type(value))}
        return {"kind": type(value).__name__, **body}
    if isinstance(value, (tuple, list)):
        return [v if type(v) is int else encode(v) for v in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return {"kind": "float", "text": repr(value)}
    return value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


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
    if not isinstance(data, dict) or data.get("kind") != kind.__name__:
        raise ValueError(f"not a {kind.__name__}: {str(data)[:80]}")
    hints = _hints(kind)  # type: ignore[arg-type]
    values = {k: v for k, v in data.items() if k != "kind"}
    if unknown := values.keys() - hints.keys():
        raise ValueError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name in values:
            values[f.name] = _value(hints[f.name], values[f.name])
        elif f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{kind.__name__} lacks {f.name}")
    return kind(**values)


def _one_of(table: dict[str, Any], data: Any) -> Any:
    name = data.get("kind") if isinstance(data, dict) else None
    if name not in table:
        raise ValueError(f"not one of {', '.join(table)}: {str(data)[:80]}")
    return table[name]


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    if isinstance(value, dict) and value.get("kind") == "float":
        return float(value["text"])
    if isinstance(hint, type) and is_dataclass(hint):
        return decode(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if get_origin(hint) is tuple and isinstance(value, list):
        each = get_args(hint)[0]
        return tuple(v if type(v) in _PLAIN else _value(each, v) for v in value)
    return value
