"""All that is decided of a record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.score import Judged
from pytest_modelqa.decision.score import score
from pytest_modelqa.decision.ship import decide
from pytest_modelqa.playbook.values import Playbook


def judged(record: RunRecord) -> Judged:
    """The record with its score, and whether to ship where its playbook asks."""
    return Judged(record=record, score=score(record), ship=decide(record))


def is_blocked(judged: Judged) -> bool:
    """Whether its playbook asks for a decision, and that is not CLEARED."""
    return judged.ship is not None and not judged.ship.cleared


def left_out(playbooks: Iterable[Playbook], all_judged: Sequence[Judged]) -> list[str]:
    """Playbooks with ship gates of which nothing ran: nobody decided, so they are not cleared."""
    seen = {each.record.run.playbook_sha256 for each in all_judged}
    return [b.path.name for b in playbooks if b.ship is not None and b.sha256 not in seen]
