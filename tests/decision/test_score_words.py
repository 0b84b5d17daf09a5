"""What a score says in words and counts: whole sentences, and both sides of every threshold."""

from __future__ import annotations

from dataclasses import replace

from pytest_modelqa.core.check import Category
from pytest_modelqa.core.result import PlannedCase, RunRecord
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.decision.score import PENALTIES, score
from tests.reports.records import artifacts, healthy, planned, result, run_info

CELL = "gguf-q4_1-cpu-chat"
OTHER = "gguf-q8_0-cpu-chat"


def made(*decided: tuple[PlannedCase, Outcome | None]) -> RunRecord:
    return RunRecord(
        run=run_info(),
        planned=tuple(case for case, _ in decided),
        results=tuple(result(case, o) for case, o in decided if o is not None),
        artifacts=artifacts(),
        answers=len(decided),
    )


def gates(outcome: Outcome | None, *scopes: str, each: int = 1) -> RunRecord:
    return made(*((planned(f"G{n + 1}", scope), outcome) for scope in scopes for n in range(each)))


def test_a_category_counts_its_failed_and_its_undecided_cases() -> None:
    outcomes = [
        Outcome.CORROBORATED, Outcome.FALSIFIED, Outcome.CRASHED, Outcome.TIMEOUT,
        Outcome.UNAVAILABLE, Outcome.INCONCLUSIVE, None,
    ]  # fmt: skip
    cases = [(planned(f"case{i}", category=Category.EDGE), o) for i, o in enumerate(outcomes)]
    found = score(made(*cases))
    edge = next(c for c in found.categories if c.name == Category.EDGE.value)
    assert (edge.planned, edge.corroborated, edge.failed, edge.undecided) == (7, 1, 3, 3)
    assert edge.low == int(edge.weight / 7 * 100) / 100
    assert edge.high == int(edge.weight * 4 / 7 * 100) / 100


def test_penalties_beyond_what_was_earned_leave_zero_at_both_ends() -> None:
    crashes = -(-1000 // PENALTIES[Outcome.CRASHED]) + 1
    every = [
        (planned(f"case{i}", category=c), Outcome.CRASHED) for i in range(crashes) for c in Category
    ]
    found = score(made(*every))
    assert (found.low, found.high) == (0.0, 0.0)


def test_without_gateways_and_artifacts_the_whole_sentence_stands_there() -> None:
    whole = replace(made((planned("ask"), Outcome.CORROBORATED)), artifacts=())
    assert {
        "No gateway is planned: nothing shows that the model loads and answers.",
        "No artifact is recorded: nothing says what the results belong to.",
    } <= set(score(whole).missing)


def test_failed_gateways_are_named_by_cell() -> None:
    found = score(gates(Outcome.FALSIFIED, CELL, OTHER, each=2))
    assert (
        f"Gateways failed, so the score is 0: G1, G2 on {CELL}; G1, G2 on {OTHER}." in found.missing
    )


def test_undecided_gateways_are_named_by_cell() -> None:
    found = score(gates(None, CELL, OTHER))
    assert f"Gateways are undecided: G1 on {CELL}; G1 on {OTHER}." in found.missing


def test_five_cells_are_named_and_the_rest_is_counted() -> None:
    def said(count: int) -> str:
        found = score(gates(None, *(f"cell{i}" for i in range(count))))
        return next(m for m in found.missing if m.startswith("Gateways are undecided"))

    full = next(n for n in range(2, 20) if " more" in said(n)) - 1
    names = "; ".join(f"G1 on cell{i}" for i in range(full))
    assert said(full) == f"Gateways are undecided: {names}."
    assert said(full + 1) == f"Gateways are undecided: {names} and 1 more."
    assert said(full + 2) == f"Gateways are undecided: {names} and 2 more."


def test_a_result_without_a_hash_is_no_stray_and_one_of_another_file_is() -> None:
    whole = healthy()
    first, *rest = whole.results
    no_hash = replace(whole, results=(replace(first, artifact_sha256=""), *rest))
    stray = replace(whole, results=(replace(first, artifact_sha256="XXXX"), *rest))
    assert not any("not recorded" in m for m in score(no_hash).missing)
    assert f"Results of artifacts that are not recorded: {first.case.id}." in score(stray).missing
