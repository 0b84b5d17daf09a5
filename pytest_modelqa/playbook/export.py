"""The JSON Schema of playbooks: editors complete from it, and other tools refuse what we refuse.

What a shape cannot say is left to `modelqa validate`: the rules of `semantics`, and what an oracle
says about its prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pytest_modelqa.core.check import Oracle
from pytest_modelqa.playbook.entries import entry_model
from pytest_modelqa.playbook.schema import PlaybookDoc, ScenarioDoc
from pytest_modelqa.playbook.shipping import CanaryDoc, HarnessDoc

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(oracles: Mapping[str, type[Oracle]]) -> dict[str, Any]:
    """A draft 2020-12 schema of playbooks with these oracles."""
    root = _tidied(PlaybookDoc.model_json_schema())
    definitions: dict[str, Any] = root.pop("$defs")
    for name, base in _ENTRIES.items():
        definitions |= _definitions(name, base, oracles)
    properties = root["properties"]
    properties["scenarios"]["items"] = {"$ref": "#/$defs/Scenario"}
    properties["gates"]["additionalProperties"] = False
    gates, canaries = definitions["ShipGates"], definitions["Canaries"]
    harnesses = gates["properties"]["harnesses"]
    named = {key: {"$ref": "#/$defs/Harness"} for key in harnesses["patternProperties"]}
    harnesses |= {"patternProperties": named, "additionalProperties": False}
    properties["models"]["additionalProperties"] = False
    tasks = canaries["properties"]["tasks"]
    tasks["items"] = {"$ref": "#/$defs/Canary"}
    canaries["if"] = {"properties": {"enabled": {"const": True}}}
    canaries["then"] = {"oneOf": [{"required": ["file"]}, {"required": ["tasks"]}]}
    generated = definitions["Generated"]["properties"]["oracles"]
    generated["additionalProperties"] = {"enum": sorted(oracles)}
    return {
        "$schema": DIALECT,
        "title": "pytest-modelqa playbook",
        **_required_unless_extended(root, definitions),
        "not": {"required": ["model", "models"]},
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


_ENTRIES: Mapping[str, type[BaseModel]] = {
    "Scenario": ScenarioDoc,
    "Harness": HarnessDoc,
    "Canary": CanaryDoc,
}
"""What names an oracle, and has its fields beside its own."""


def _definitions(
    kind: str, base: type[BaseModel], oracles: Mapping[str, type[Oracle]]
) -> dict[str, Any]:
    """One definition an oracle, and one that chooses among them."""
    found: dict[str, Any] = {}
    able: list[str] = []
    for name, oracle in sorted(oracles.items()):
        try:
            model = entry_model(oracle, base, partial=base is HarnessDoc)
        except ValueError:  # one of its fields has the name of a common one: it cannot stand here
            continue
        definition = _tidied(model.model_json_schema())
        found |= definition.pop("$defs", {})
        definition["properties"]["oracle"] = {
            **definition["properties"]["oracle"],
            "const": name,
        }
        found[f"{kind}_{name}"] = definition
        able.append(name)
    return {**found, kind: _chosen(kind, base, able)}


def _required_unless_extended(
    root: dict[str, Any], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    """What a template may supply, at the top and one level below, is required without `extends`."""
    below = {}
    for key, value in root["properties"].items():
        definition = definitions.get(value.get("$ref", "").rpartition("/")[2], {})
        if "required" in definition:
            below[key] = {"required": definition.pop("required")}
    below["models"] = {"additionalProperties": below["model"]}
    always = [name for name in root.pop("required") if name != "model"]
    one_of_two = [{"required": ["model"]}, {"required": ["models"]}]
    return {
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": always, "properties": below, "anyOf": one_of_two},
    }


def _chosen(kind: str, base: type[BaseModel], names: list[str]) -> dict[str, Any]:
    """Chosen by `oracle`, so that an editor's message speaks of one oracle, not of all."""
    chosen = [
        {
            "if": {"properties": {"oracle": {"const": name}}, "required": ["oracle"]},
            "then": {"$ref": f"#/$defs/{kind}_{name}"},
        }
        for name in names
    ]
    required = [name for name, field in base.model_fields.items() if field.is_required()]
    return {
        "type": "object",
        "description": base.__doc__,
        "properties": {"oracle": {"enum": names}},
        "required": required,
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
