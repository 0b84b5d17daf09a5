"""JSON Schema validation through jsonschema. Loaded by name: it stands at the top."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

_SHOWN_ERRORS = 3


def checked(schema: dict[str, Any]) -> Any:
    """Make a validator that fetches nothing. Raises ValueError where the schema is none."""
    if not isinstance(schema.get("$schema", ""), str):
        raise ValueError("schema: $.$schema: a text is expected")  # noqa: TRY004 - as promised
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"schema: {error.json_path}: {error.message}") from None
    return kind(schema, registry=Registry())


def violations(schema: dict[str, Any], value: Any) -> tuple[int, str]:
    """How many, and the first three in words.

    Raises ValueError where a reference leads out of the schema, or without end.
    """
    try:
        errors = sorted(checked(schema).iter_errors(value), key=str)
    except (Unresolvable, RecursionError) as error:
        raise ValueError(f"the schema cannot be applied: {error}") from None
    first = errors[:_SHOWN_ERRORS]
    return len(errors), "; ".join(f"{e.json_path}: {e.message[:120]}" for e in first)
