"""Every input that once broke a reader is read again on every save; sound ones beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites.fuzz import corpus
from suites.fuzz.targets import NUMERIC, SHARES

pytestmark = [pytest.mark.tier1, pytest.mark.stab]

KEPT = [(target, name) for target in SHARES for name, _ in corpus.inputs(target)]


@pytest.mark.parametrize(("target", "name"), KEPT, ids=[f"{t}-{n}" for t, n in KEPT])
def test_a_kept_input_of_the_corpus_breaks_nothing(target: str, name: str) -> None:
    from suites.fuzz.reader import Trial  # noqa: PLC0415 - imports what it reads with
    from suites.fuzz.readers import reader  # noqa: PLC0415

    trial = Trial(reader(target))
    fault = trial.read(corpus.FOLDER / target / name)
    assert fault is None, fault
    assert sum(trial.held.answers.values()) == 1


@pytest.mark.parametrize("target", NUMERIC)
def test_kept_cases_of_what_computes_break_nothing(target: str) -> None:
    assert not corpus.broken_again(target)


def test_the_planner_keeps_its_invariants_on_its_first_cases() -> None:
    from suites.fuzz import numeric, parameter_calc  # noqa: PLC0415 - numpy

    outcome = numeric.fuzz(parameter_calc.TARGET, 256, seed=0)
    assert outcome.passed, outcome.lines()


def test_the_corpus_holds_nothing_of_an_unknown_target() -> None:
    found = {path.name for path in Path(corpus.FOLDER).iterdir() if path.is_dir()}
    assert found <= {*SHARES, *NUMERIC}
    assert KEPT, "a corpus that is empty proves nothing"
