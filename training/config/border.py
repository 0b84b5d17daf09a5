"""Dataclasses to strict pydantic models and back: the fields are declared once.

A plain dataclass through a pydantic TypeAdapter would drop unknown keys without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pydantic
from pydantic import BaseModel, create_model

from pytest_modelqa.playbook.fields import Strict


@cache
def model_of(kind: type[Any], leave_out: tuple[str, ...] = ()) -> type[BaseModel]:
    """The strict model of a dataclass and of those in it: its fields, bounds and defaults."""
    hints = get_type_hints(kind, include_extras=True)
    declared: dict[str, Any] = {
        f.name: (_inside(hints[f.name]), _default(f))
        for f in fields(kind)
        if f.name not in leave_out
    }
    return create_model(kind.__name__, __base__=Strict, __doc__=kind.__doc__, **declared)


def value_of(kind: type[Any], doc: BaseModel, more: Mapping[str, Any]) -> Any:
    """The dataclass that a validated model describes; `more` are fields that no file has."""
    hints = get_type_hints(kind)
    given = {name: _frozen(hints[name], getattr(doc, name)) for name in type(doc).model_fields}
    return kind(**given, **more)


def _inside(hint: Any) -> Any:
    """The same type with models in the place of dataclasses."""
    if is_dataclass(hint) and isinstance(hint, type):
        return model_of(hint)
    if metadata := getattr(hint, "__metadata__", ()):
        rebuilt = _inside(hint.__origin__)
        for note in metadata:
            rebuilt = Annotated[rebuilt, note]
        return rebuilt
    if isinstance(hint, UnionType):
        whole: Any = None
        for part in get_args(hint):
            whole = _inside(part) if whole is None else whole | _inside(part)
        return whole
    if get_origin(hint) is tuple:
        return tuple[_inside(get_args(hint)[0]), ...]  # type: ignore[misc]
    return hint


def _default(f: Field[Any]) -> Any:
    if f.default is not MISSING:
        return f.default
    if f.default_factory is not MISSING:
        made = type(f.default_factory())
        return pydantic.Field(default_factory=model_of(made))  # type: ignore[arg-type]
    return ...


def _frozen(hint: Any, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value_of(_dataclass_in(hint), value, {})
    if isinstance(value, tuple):
        return tuple(_frozen(hint, v) for v in value)
    return value


def _dataclass_in(hint: Any) -> Any:
    if is_dataclass(hint):
        return hint
    inner = (_dataclass_in(part) for part in get_args(hint))
    return next((found for found in inner if found), None)
