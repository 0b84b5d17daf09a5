"""The JSON Schema of a training configuration, so that editors complete and check it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from training.config.border import model_of
from training.config.load import NOT_IN_FILES
from training.config.values import TrainingConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema of what `load` reads, but for the rules of `semantics`."""
    made = model_of(TrainingConfig, NOT_IN_FILES).model_json_schema()
    return {"$schema": DIALECT, **made, "title": "pytest-modelqa training configuration"}


def markdown() -> str:
    """The keys as a Markdown table: default, what is allowed, what it means."""
    schema = json_schema()
    lines = ["| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for section, whole in schema["properties"].items():
        definition = schema["$defs"][_name_of(whole)]
        needed = definition.get("required", [])
        for key, field in definition["properties"].items():
            default = "required" if key in needed else _default(field)
            cells = (f"`{section}.{key}`", default, _allowed(field), field.get("description", ""))
            lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines)


def _name_of(field: Mapping[str, Any]) -> str:
    """The definition that a property points to; empty where it points to none."""
    places = (field, field.get("items", {}), *field.get("anyOf", ()))
    return next((str(p["$ref"]).rpartition("/")[2] for p in places if "$ref" in p), "")


def _default(field: Mapping[str, Any]) -> str:
    found = field.get("default")
    if found in (None, "", []):
        return "none"
    return f"`{json.dumps(found)}`" if not isinstance(found, list) else ", ".join(found)


def _allowed(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    if name := _name_of(field):
        return f"see {name}" + (", any number of them" if field.get("type") == "array" else "")
    words = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]:,}" for key, sign in words.items() if key in field]
    kind = {"array": "a list", "string": "text", "boolean": "true, false"}.get(str(field["type"]))
    return field.get("const") or kind or f"{field['type']}{' ' * bool(bounds)}{', '.join(bounds)}"
