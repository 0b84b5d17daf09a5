"""No evidence is no pass: the value itself refuses."""

from __future__ import annotations

import pytest

from pytest_modelqa.core.answer import Cause, Failure
from pytest_modelqa.core.verdict import Outcome, Verdict, corroborated, verdict_of_failure

pytestmark = pytest.mark.tier1


def test_corroborated_on_nothing_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="without having tested anything"):
        corroborated("fine", tested=0)
    assert corroborated("fine", tested=1).outcome is Outcome.CORROBORATED


def test_a_verdict_without_a_reason_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Verdict(outcome=Outcome.FALSIFIED, reason="")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("crashed", Outcome.CRASHED),
        ("error", Outcome.CRASHED),
        ("timeout", Outcome.TIMEOUT),
        ("refused", Outcome.FALSIFIED),
        ("unavailable", Outcome.UNAVAILABLE),
    ],
)
def test_no_failure_is_a_pass(kind: Cause, outcome: Outcome) -> None:
    verdict = verdict_of_failure(Failure(cause=kind, reason="r"))
    assert verdict.outcome is outcome
    assert verdict.outcome is not Outcome.CORROBORATED


def test_every_outcome_is_a_pass_a_failure_or_undecided() -> None:
    for outcome in Outcome:
        passed = outcome is Outcome.CORROBORATED
        assert [passed, outcome.failed, outcome.undecided].count(True) == 1
