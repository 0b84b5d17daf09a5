"""All that is decided of a record."""

from __future__ import annotations

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.score import Judged
from pytest_modelqa.decision.score import score
from pytest_modelqa.decision.ship import decide


def judged(record: RunRecord) -> Judged:
    """The record with its score, and whether to ship where its playbook asks."""
    return Judged(record=record, score=score(record), ship=decide(record))
