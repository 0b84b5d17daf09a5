"""Mappings that name an oracle, its own fields beside the common ones: scenarios and their like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from pytest_modelqa.core.check import Oracle
from pytest_modelqa.playbook.positions import Flaw, Key, Tree
from pytest_modelqa.playbook.problems import flaws_of, not_a

M = TypeVar("M", bound=BaseModel)
Oracles = Mapping[str, type[Oracle]]

FIELD = "field_"
"""Prefix of an oracle's fields in its model, so that none shadows a method of pydantic's."""


@cache
def entry_model(
    oracle: type[Oracle], base: type[BaseModel], *, partial: bool = False
) -> type[BaseModel]:
    """The fields of `base` and an oracle's own: names, bounds, defaults.

    With `partial` none of the oracle's is required: they may stand elsewhere. Raises ValueError
    where a field of the oracle has the name of a common one.
    """
    hints = get_type_hints(oracle, include_extras=True)
    own: dict[str, Any] = {}
    for f in fields(oracle):  # type: ignore[arg-type]
        if f.name in base.model_fields:
            raise ValueError(
                f"the oracle {oracle.name!r} may not have a field {f.name!r}: it is one of "
                f"{', '.join(base.model_fields)}"
            )
        if f.default is not MISSING:
            info = Field(default=f.default, alias=f.name)
        elif f.default_factory is not MISSING:
            info = Field(default_factory=f.default_factory, alias=f.name)
        else:
            info = Field(default=None, alias=f.name) if partial else Field(alias=f.name)
        own[FIELD + f.name] = (hints[f.name], info)
    name = f"{base.__name__.removesuffix('Doc')}_{oracle.name}"
    return create_model(name, __base__=base, __doc__=oracle.__doc__, **own)


@cache
def _any_oracle(base: type[BaseModel]) -> type[BaseModel]:
    """An entry whose oracle is unknown: its common fields alone can be judged."""
    loose = {"model_config": ConfigDict(extra="ignore"), "__module__": __name__}
    return type(base.__name__, (base,), loose)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a path in a tree. Flaws are told with `prefix` before the path."""

    tree: Tree
    path: tuple[Key, ...] = ()
    prefix: tuple[Key, ...] = ()

    def plain(self) -> Any:
        """What stands there."""
        return self.tree.nearest(self.path).plain()

    def under(self, *keys: Key) -> Place:
        """Below it."""
        return replace(self, path=(*self.path, *keys))

    def flaw(self, message: str) -> Flaw:
        """A mistake here."""
        return Flaw(self.tree.nearest(self.path).at, (*self.prefix, *self.path), message)


@dataclass(frozen=True, slots=True)
class Entry:
    """A validated entry, and the oracle's fields as far as they are written."""

    doc: Any
    kind: type[Oracle]
    given: Mapping[str, Any]

    def missing(self, given: Mapping[str, Any]) -> list[str]:
        """What the oracle requires, and `given` has not."""
        required = (
            f.name
            for f in fields(self.kind)  # type: ignore[arg-type]
            if f.default is MISSING and f.default_factory is MISSING
        )
        return [name for name in required if name not in given]


class Entries:
    """Reads entries; their mistakes gather in `flaws`."""

    def __init__(self, oracles: Oracles) -> None:
        self.oracles = oracles
        self.flaws: list[Flaw] = []

    def validated(self, model: type[M], place: Place, data: Any = None) -> M | None:
        """Through JSON text, so that strict models still take lists for tuples."""
        given = place.plain() if data is None else data
        try:
            return model.model_validate_json(json.dumps(given))
        except ValidationError as error:
            for flaw in flaws_of(error, place.tree, model, place.path):
                self.flaws.append(replace(flaw, path=(*place.prefix, *flaw.path)))
            return None

    def entry(self, place: Place, base: type[BaseModel], *, partial: bool = False) -> Entry | None:
        """The entry, or None with its flaws told."""
        data = place.plain()
        name = data.get("oracle") if isinstance(data, dict) else None
        if not isinstance(name, str) or name not in self.oracles:
            self.validated(_any_oracle(base), place)
            if isinstance(name, str):
                message = not_a(name, "oracle", sorted(self.oracles))
                self.flaws.append(place.under("oracle").flaw(message))
            return None
        return self.with_oracle(place, base, self.oracles[name], partial=partial)

    def with_oracle(
        self, place: Place, base: type[BaseModel], kind: type[Oracle], *, partial: bool = False
    ) -> Entry | None:
        """An entry whose oracle is known."""
        try:
            model = entry_model(kind, base, partial=partial)
        except ValueError as error:
            self.flaws.append(place.under("oracle").flaw(str(error)))
            return None
        doc = self.validated(model, place)
        if doc is None:
            return None
        own = (n for n in model.model_fields if n.startswith(FIELD) and n in doc.model_fields_set)
        return Entry(doc, kind, {name.removeprefix(FIELD): getattr(doc, name) for name in own})

    def oracle(self, place: Place, kind: type[Oracle], given: Mapping[str, Any]) -> Oracle | None:
        """The oracle with these fields, or None where it refuses them."""
        try:
            return kind(**given)
        except ValueError as error:
            field = _named_in(str(error), given, place.plain())
            message = str(error).removeprefix(f"{field}: ")
            self.flaws.append(place.under(field).flaw(message))
            return None

    def can_judge(self, place: Place, oracle: Oracle, prompt: str) -> bool:
        """Whether the oracle can judge answers to the prompt, which stands there."""
        if problem := oracle.problem_with(prompt):
            self.flaws.append(place.under("prompt").flaw(problem))
        return not problem


def _named_in(message: str, arguments: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    """The field that an oracle complains about: the one it names, or its only one."""
    own = [name for name in arguments if name in written]
    named = [name for name in own if name in message]
    return (named or own if len(own) == 1 or named else ["oracle"])[0]
