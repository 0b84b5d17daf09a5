"""Records and scores as one JSON document, of `schemas/report.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.score import Score
from pytest_modelqa.core.wire import encode

FORMAT = "modelqa-report"
VERSION = 1
"""Raised when a reader of the last version would misread a document."""


def to_json(records: Sequence[RunRecord], scores: Sequence[Score]) -> str:
    """The document, in ASCII: lone surrogates and control characters survive as escapes."""
    reports = [
        {"record": encode(record), "score": encode(score)}
        for record, score in zip(records, scores, strict=True)
    ]
    document = {"format": FORMAT, "version": VERSION, "reports": reports}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
