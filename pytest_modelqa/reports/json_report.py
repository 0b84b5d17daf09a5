"""Records and what was decided of them as one JSON document, of `schemas/report.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pytest_modelqa.core.score import Judged
from pytest_modelqa.core.wire import encode

FORMAT = "modelqa-report"
VERSION = 1
"""Raised when a reader of the last version would misread a document."""

_DEPTH = 5
"""From the document down to the list of cases: each case is one line."""


def to_json(judged: Sequence[Judged]) -> str:
    """The document, in ASCII: lone surrogates and control characters survive as escapes."""
    reports = [
        {"record": encode(j.record), "score": encode(j.score), "decision": encode(j.ship)}
        for j in judged
    ]
    document = {"format": FORMAT, "version": VERSION, "reports": reports}
    return _lines(document, _DEPTH) + "\n"


def _lines(value: Any, depth: int) -> str:
    """Down to `depth` a line a member, then a line a value, which json's C encoder writes."""
    if depth and isinstance(value, dict) and value:
        members = (f"{json.dumps(k)}: {_lines(v, depth - 1)}" for k, v in value.items())
        return "{\n" + ",\n".join(members) + "\n}"
    if depth and isinstance(value, list) and value:
        return "[\n" + ",\n".join(_lines(v, depth - 1) for v in value) + "\n]"
    return json.dumps(value, allow_nan=False)
