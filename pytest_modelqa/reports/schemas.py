"""JSON Schemas of reports and of evidence, made from the dataclasses that are written.

The committed files in `pytest_modelqa/schemas/` are the output of these functions, and a test
compares them. Every field is required and no other is allowed: what is written is complete.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pytest_modelqa.core.answer import ANSWERS
from pytest_modelqa.core.check import Category, Severity
from pytest_modelqa.core.comparison import ANSWERS as COMPARED
from pytest_modelqa.core.comparison import REQUESTS as COMPARISONS
from pytest_modelqa.core.receipt import FORMAT as RECEIPT_FORMAT
from pytest_modelqa.core.receipt import VERSION as RECEIPT_VERSION
from pytest_modelqa.core.receipt import Exchange, HashedFile, Receipt, ReceivedArtifact
from pytest_modelqa.core.request import REQUESTS
from pytest_modelqa.core.result import ArtifactInfo, CaseResult, PlannedCase, RunInfo, RunRecord
from pytest_modelqa.core.score import Score
from pytest_modelqa.core.shipping import Demand, Gauge, Paired, ShipDecision, ShipPolicy
from pytest_modelqa.core.verdict import Outcome, Verdict
from pytest_modelqa.reports.json_report import FORMAT, VERSION

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NONFINITE = "float"

_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$"
_SHA256 = "^[0-9a-f]{64}$"
_SHA256_OR_NONE = "^([0-9a-f]{64})?$"
_KEY = "^[0-9a-f]{32}$"
_SHARE: dict[str, Any] = {"minimum": 0, "maximum": 1}
_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
    float: {"anyOf": [{"type": "number"}, {"$ref": f"#/$defs/{NONFINITE}"}]},
}
_COUNTS = (
    "answers", "bytes", "canaries", "canaries_passed", "checked", "count", "decided", "decode_s",
    "engine_s", "failed", "false_negative", "false_positive", "generated_tokens", "lost",
    "max_tokens", "nonfinite", "nonfinite_steps", "parameters", "planned", "positions",
    "prefill_s", "prompt_tokens", "resumed", "seconds", "special_ids", "tensors", "tested",
    "true_negative", "true_positive", "undecided", "vocabulary", "won",
)  # fmt: skip
_BY_FIELD: dict[tuple[type, str], Schema] = {
    (ArtifactInfo, "sha256"): {"pattern": _SHA256},
    (CaseResult, "evidence"): {"items": {"type": "string", "pattern": _KEY}},
    (Exchange, "key"): {"pattern": _KEY},
    (Demand, "threshold"): _SHARE,
    (Gauge, "high"): _SHARE,
    (Gauge, "low"): _SHARE,
    (Gauge, "lower"): _SHARE,
    (Gauge, "n"): {"minimum": 0},
    (Gauge, "passed"): {"minimum": 0},
    (Gauge, "value"): _SHARE,
    (HashedFile, "sha256"): {"pattern": _SHA256},
    (PlannedCase, "category"): {"enum": list(Category)},
    (PlannedCase, "id"): {"minLength": 1},
    (PlannedCase, "severity"): {"enum": list(Severity)},
    (Paired, "p_value"): _SHARE,
    (Receipt, "created"): {"pattern": _TIME},
    (Receipt, "sha256"): {"pattern": _SHA256},
    (ReceivedArtifact, "files"): {"minItems": 1},
    (ReceivedArtifact, "sha256"): {"pattern": _SHA256},
    (RunInfo, "id"): {"minLength": 1},
    (RunInfo, "playbook_sha256"): {"pattern": _SHA256},
    (RunInfo, "started"): {"pattern": _TIME},
    (Score, "high"): {"maximum": 1000},
    (Score, "low"): {"minimum": 0},
    (ShipPolicy, "artifact"): {"minLength": 1},
    (ShipPolicy, "min_overall"): _SHARE,
    (Verdict, "reason"): {"minLength": 1},
}
"""What holds of a field beyond its type."""

_BY_KIND: dict[type, Schema] = {
    Verdict: {
        "if": {"properties": {"outcome": {"const": Outcome.CORROBORATED}}},
        "then": {"properties": {"tested": {"minimum": 1}}},
    },
}
"""What holds between the fields of a kind: nothing passes on no evidence."""


def report_schema() -> Schema:
    """Of what `to_json` writes."""
    return {
        "$schema": DIALECT,
        "title": "pytest-modelqa report",
        "description": "Merged evidence of playbooks, with scores and ship decisions.",
        **_closed(
            {
                "format": {"const": FORMAT},
                "version": {"const": VERSION},
                "reports": {
                    "type": "array",
                    "items": _closed(
                        {
                            "record": _ref(RunRecord),
                            "score": _ref(Score),
                            "decision": {"anyOf": [_ref(ShipDecision), {"type": "null"}]},
                        }
                    ),
                },
            }
        ),
        "$defs": _definitions((RunRecord, Score, ShipDecision)),
    }


_ASKED = (*REQUESTS, *COMPARISONS)
_ANSWERED = (*ANSWERS, *COMPARED)


def receipt_schema() -> Schema:
    """Of a `parity_<date>_<sha>.json` file."""
    definitions = _definitions((Receipt, *_ASKED, *_ANSWERED))
    exchange = definitions[Exchange.__name__]["properties"]
    exchange["request"] = _one_of(_ASKED)
    exchange["answer"] = _one_of(_ANSWERED)
    return {
        "$schema": DIALECT,
        "title": "pytest-modelqa parity receipt",
        "description": "What two artifacts were compared by, bound to their bytes.",
        **_closed(
            {
                "format": {"const": RECEIPT_FORMAT},
                "version": {"const": RECEIPT_VERSION},
                "receipt": _ref(Receipt),
            }
        ),
        "$defs": definitions,
    }


def _one_of(kinds: Sequence[type]) -> Schema:
    """Chosen by `kind`, so that a message speaks of one kind, not of all."""
    chosen = [
        {
            "if": {"properties": {"kind": {"const": kind.__name__}}},
            "then": _ref(kind),
        }
        for kind in kinds
    ]
    return {
        "type": "object",
        "properties": {"kind": {"enum": [kind.__name__ for kind in kinds]}},
        "required": ["kind"],
        "allOf": chosen,
    }


def evidence_schema() -> Schema:
    """Of one line of a `*.evidence.jsonl` file; `type` tells which."""
    lines = _lines()
    chosen = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {"$ref": f"#/$defs/line_{name}"},
        }
        for name in lines
    ]
    written = (RunInfo, PlannedCase, ArtifactInfo, CaseResult, *_ASKED, *_ANSWERED)
    return {
        "$schema": DIALECT,
        "title": "pytest-modelqa evidence, one line",
        "description": "Append-only; `crc` is the CRC-32 of the line without it, canonical.",
        "type": "object",
        "properties": {"type": {"enum": list(lines)}},
        "required": ["type"],
        "allOf": chosen,
        "$defs": {**{f"line_{k}": v for k, v in lines.items()}, **_definitions(written)},
    }


def _lines() -> dict[str, Schema]:
    key = {"type": "string", "pattern": _KEY}
    sha256 = {"type": "string", "pattern": _SHA256_OR_NONE}
    time = {"type": "string", "pattern": _TIME}
    text = {"type": "string"}
    scalar = {"type": ["string", "number", "boolean", "null"]}
    settings = {"type": "object", "additionalProperties": scalar}
    name = {**text, "minLength": 1}
    engine = _closed({"name": name, "build": text, "settings": settings})
    engine["properties"]["reference"] = _closed({"name": name, "build": text, "dtype": text})
    planned = {"type": "array", "items": _ref(PlannedCase)}
    answer = {
        "key": key,
        "cell": {**text, "minLength": 1},
        "artifact_sha256": sha256,
        "engine": engine,
        "request": _one_of(_ASKED),
        "answer": _one_of(_ANSWERED),
        "seconds": {"type": "number", "minimum": 0},
        "resumed": {"type": "boolean"},
        "time": time,
    }
    return {
        "run": _line("run", {"run": _ref(RunInfo), "planned": planned}),
        "artifact": _line("artifact", {"artifact": _ref(ArtifactInfo)}),
        "answer": _line("answer", answer),
        "result": _line("result", {"result": _ref(CaseResult)}),
        "incident": _line("incident", {"cell": text, "text": text}),
        "end": _line("end", {"ended": time, "interrupted": {"type": "boolean"}}),
    }


def _line(name: str, properties: Schema) -> Schema:
    crc = {"type": "string", "pattern": "^[0-9a-f]{8}$"}
    return _closed({"type": {"const": name}, **properties, "crc": crc})


def _closed(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _definitions(kinds: Iterable[type]) -> dict[str, Schema]:
    """The kinds, and all that their fields hold, by name; and how NaN is written."""
    found: dict[str, Schema] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind.__name__ not in found:
            found[kind.__name__] = _of_kind(kind)
            waiting += [t for hint in get_type_hints(kind).values() for t in _kinds_in(hint)]
    text = {"enum": ["nan", "inf", "-inf"]}
    found[NONFINITE] = _closed({"kind": {"const": NONFINITE}, "text": text})
    return dict(sorted(found.items()))


def _kinds_in(hint: Any) -> list[type]:
    if is_dataclass(hint) and isinstance(hint, type):
        return [hint]
    return [kind for part in get_args(hint) for kind in _kinds_in(part)]


def _of_kind(kind: type) -> Schema:
    hints = get_type_hints(kind)
    properties = {f.name: _of_field(kind, f.name, hints[f.name]) for f in fields(kind)}
    tag = "class" if "kind" in hints else "kind"
    closed = _closed({tag: {"const": kind.__name__}, **properties})
    summary = (kind.__doc__ or "").strip().splitlines()[0]
    return {"description": summary, **closed, **_BY_KIND.get(kind, {})}


def _of_field(kind: type, name: str, hint: Any) -> Schema:
    schema = _of_hint(hint)
    if name in _COUNTS:
        schema = {**schema, "minimum": 0}
    elif name.endswith("sha256"):
        schema = {**schema, "pattern": _SHA256_OR_NONE}
    return {**schema, **_BY_FIELD.get((kind, name), {})}


def _of_hint(hint: Any) -> Schema:
    """The schema of a type. Raises TypeError for one that `core.wire` does not write."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of_hint(a) for a in args]}
    if origin is tuple:
        return {"type": "array", "items": _of_hint(args[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of_hint(args[1])}
    if not isinstance(hint, type):
        raise TypeError(f"no schema for {hint}: extend _of_hint")
    return _of_class(hint)


def _of_class(kind: type) -> Schema:
    if issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if is_dataclass(kind):
        return _ref(kind)
    raise TypeError(f"no schema for {kind.__name__}: extend _of_hint")


def _ref(kind: type) -> Schema:
    return {"$ref": f"#/$defs/{kind.__name__}"}
