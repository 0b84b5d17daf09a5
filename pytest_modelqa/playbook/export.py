"""The JSON Schema of playbooks: editors complete from it, and other tools refuse what we refuse.

What a shape cannot say is left to `modelqa validate`: the rules of `semantics`, and what an oracle
says about its prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_modelqa.core.check import Oracle
from pytest_modelqa.playbook.schema import PlaybookDoc, ScenarioDoc, scenario_model

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(oracles: Mapping[str, type[Oracle]]) -> dict[str, Any]:
    """A draft 2020-12 schema of playbooks with these oracles."""
    root = _tidied(PlaybookDoc.model_json_schema())
    definitions: dict[str, Any] = root.pop("$defs")
    for name, oracle in sorted(oracles.items()):
        definition = _tidied(scenario_model(oracle).model_json_schema())
        definitions |= definition.pop("$defs", {})
        definition["properties"]["oracle"] = {
            **definition["properties"]["oracle"],
            "const": name,
        }
        definitions[f"Scenario_{name}"] = definition
    definitions["Scenario"] = _scenario(sorted(oracles))
    properties = root["properties"]
    properties["scenarios"]["items"] = {"$ref": "#/$defs/Scenario"}
    properties["gates"]["additionalProperties"] = False
    generated = definitions["Generated"]["properties"]["oracles"]
    generated["additionalProperties"] = {"enum": sorted(oracles)}
    return {
        "$schema": DIALECT,
        "title": "pytest-modelqa playbook",
        **_required_unless_extended(root, definitions),
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _required_unless_extended(
    root: dict[str, Any], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    """What a template may supply, at the top and one level below, is required without `extends`."""
    below = {}
    for key, value in root["properties"].items():
        definition = definitions.get(value.get("$ref", "").rpartition("/")[2], {})
        if "required" in definition:
            below[key] = {"required": definition.pop("required")}
    return {
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": root.pop("required"), "properties": below},
    }


def _scenario(names: list[str]) -> dict[str, Any]:
    """Chosen by `oracle`, so that an editor's message speaks of one oracle, not of all."""
    chosen = [
        {
            "if": {"properties": {"oracle": {"const": name}}, "required": ["oracle"]},
            "then": {"$ref": f"#/$defs/Scenario_{name}"},
        }
        for name in names
    ]
    return {
        "type": "object",
        "description": ScenarioDoc.__doc__,
        "properties": {"oracle": {"enum": names}},
        "required": ["name", "prompt", "oracle"],
        "allOf": chosen,
    }


def _tidied(schema: Any) -> Any:
    """Without null, which the loader refuses everywhere, and without pydantic's made-up titles."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {k: _tidied(v) for k, v in value.items()} if key in _NAMED else _tidied(value)
        for key, value in schema.items()
        if key != "title" and not (key == "default" and value is None)
    }
    alternatives = [a for a in made.get("anyOf", []) if a != {"type": "null"}]
    if "anyOf" in made:
        del made["anyOf"]
        outer = dict(made)
        made = {**alternatives[0], **outer} if len(alternatives) == 1 else made
        if len(alternatives) > 1:
            made["anyOf"] = alternatives
    return made


_NAMED = ("properties", "$defs")
"""Keys below these are names of the playbook, where `title` or `default` would be a field."""
