"""The score: known examples of docs/score.md, and what holds of every record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.core.check import Category
from pytest_modelqa.core.result import PlannedCase, RunRecord
from pytest_modelqa.core.score import Score
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.decision.score import GRADES, STATUS, WEIGHTS, grade_of, score
from tests.reports.records import (
    CELLS,
    OTHER_SHA256,
    artifacts,
    gateway_failed,
    healthy,
    mixed,
    nothing,
    planned,
    record,
    result,
    run_info,
    unavailable,
)

pytestmark = pytest.mark.tier1

DOCUMENT = Path(__file__).parents[2].joinpath("docs", "score.md").read_text(encoding="utf-8")
RELAXED = settings(deadline=None)
OUTCOMES = st.sampled_from([*Outcome, None])
CASES = st.lists(st.tuples(st.sampled_from(Category), OUTCOMES), max_size=40)


def made(decided: list[tuple[Category, Outcome | None]]) -> RunRecord:
    """A record of scenarios (no gateway) with these outcomes; None: not run."""
    cases = [(planned(f"case{i}", category=c), o) for i, (c, o) in enumerate(decided)]
    return RunRecord(
        run=run_info(),
        planned=tuple(case for case, _ in cases),
        results=tuple(result(case, o) for case, o in cases if o is not None),
        artifacts=artifacts(),
        answers=len(cases),
    )


def with_outcome(whole: RunRecord, index: int, outcome: Outcome) -> RunRecord:
    results = list(whole.results)
    results[index] = result(results[index].case, outcome)
    return replace(whole, results=tuple(results))


def scripted() -> RunRecord:
    """Healthy, but no model was asked: both artifacts are scripts."""
    whole = healthy()
    return replace(whole, artifacts=tuple(replace(a, synthetic=True) for a in whole.artifacts))


def missing_of(points: Score) -> str:
    return "\n".join(points.missing)


def test_the_weights_sum_to_a_thousand() -> None:
    assert sum(WEIGHTS.values()) == 1000
    assert set(WEIGHTS) == set(Category)


def test_a_sound_record_has_all_points_and_is_production_ready() -> None:
    points = score(healthy())
    assert (points.low, points.high, points.grades) == (1000, 1000, "A+")
    assert points.status == "Production Ready"
    assert points.missing == ()
    assert not points.incomplete
    assert points.coverage == 1


def test_a_failed_gateway_leaves_nothing() -> None:
    points = score(gateway_failed())
    assert (points.low, points.high, points.grades) == (0, 0, "F")
    assert points.status == "Blocked"
    assert "Gateways failed, so the score is 0: G2 on gguf-q4_1-cpu-chat." in points.missing


@pytest.mark.parametrize("outcome", [Outcome.FALSIFIED, Outcome.CRASHED, Outcome.TIMEOUT])
def test_every_kind_of_gateway_failure_counts(outcome: Outcome) -> None:
    assert score(record({f"{CELLS[1]}::G0": outcome})).high == 0


def test_one_of_each_outcome_scores_as_documented() -> None:
    points = score(mixed())
    # QUAL 5 of 6 on a weight of 200, PERF and COMP open, STAB 6 of 8, EDGE 2 of 2, REGR 1 of 2:
    # 166.67 + 0 + 150 + 0 + 150 + 75, less 20 for the crash and 10 for the time-out.
    assert points.low == 511.66
    assert points.high == 886.66
    assert points.grades == "F..B+"
    assert points.status == "Blocked"
    assert points.incomplete
    assert (points.decided, points.planned) == (17, 22)
    assert [(p.outcome, p.count, p.points) for p in points.penalties] == [
        (Outcome.CRASHED, 1, 20),
        (Outcome.TIMEOUT, 1, 10),
    ]
    assert "5 of 22 planned cases are undecided." in points.missing
    assert "Artifacts without a hash known beforehand: gguf-q4_1." in points.missing


def test_a_run_that_decided_nothing_earns_nothing() -> None:
    for points in (score(nothing()), score(unavailable())):
        assert (points.low, points.high, points.grades) == (0, 1000, "F..A+")
        assert points.status == "Blocked"
        assert "No artifact is recorded" in missing_of(points)


def test_a_record_without_any_case_earns_nothing() -> None:
    points = score(made([]))
    assert (points.low, points.high, points.status) == (0, 1000, "Blocked")
    assert points.coverage == 0
    assert "No gateway is planned" in missing_of(points)


def test_an_empty_category_is_named_and_earns_nothing() -> None:
    points = score(without("PERF"))
    assert (points.low, points.high) == (850, 1000)
    assert points.grades == "B+..A+"
    assert points.status == "Development Only"
    assert points.missing == ("No case is planned in PERF: no points there.",)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (record(pinned=False), "without a hash known beforehand: gguf-q4_1"),
        (replace(healthy(), artifacts=()), "No artifact is recorded"),
        (replace(healthy(), artifacts=artifacts()[1:]), "Results of artifacts that are not"),
        (record({f"{CELLS[0]}::ask_qual": None}), "1 of 22 planned cases are undecided"),
        (record({f"{CELLS[0]}::G4": Outcome.INCONCLUSIVE}), "Gateways are undecided: G4 on"),
        (record({f"{CELLS[0]}::G4": None}), "Gateways are undecided: G4 on"),
    ],
)
def test_whatever_is_missing_is_said_and_caps_the_status(broken: RunRecord, sentence: str) -> None:
    points = score(broken)
    assert points.low >= 900
    assert points.status == "Development Only"
    assert sentence in missing_of(points)


def test_results_of_the_other_artifact_are_no_strays() -> None:
    whole = healthy()
    results = tuple(replace(r, artifact_sha256=OTHER_SHA256) for r in whole.results)
    assert score(replace(whole, results=results)).missing == ()


def test_a_failure_that_was_not_planned_does_not_hide() -> None:
    whole = healthy()
    stray = result(planned("G5"), Outcome.CRASHED)
    stray = replace(stray, case=replace(stray.case, is_gateway=True))
    assert score(replace(whole, results=(*whole.results, stray))).high == 0


def test_penalties_stop_at_zero() -> None:
    points = score(made([(Category.QUAL, Outcome.CRASHED)] * 100))
    assert points.low == 0
    assert points.penalties[0].points == 2000


@pytest.mark.parametrize(
    ("points", "grade", "status"),
    [
        (1000, "A+", "Production Ready"),
        (950, "A+", "Production Ready"),
        (949.99, "A", "Production Ready"),
        (900, "A", "Production Ready"),
        (899.99, "B+", "Conditional"),
        (850, "B+", "Conditional"),
        (849.99, "B", "Conditional"),
        (800, "B", "Conditional"),
        (799.99, "C", "Development Only"),
        (700, "C", "Development Only"),
        (699.99, "F", "Blocked"),
        (0, "F", "Blocked"),
    ],
)
def test_grades_and_status_words_follow_the_table(points: float, grade: str, status: str) -> None:
    assert grade_of(points) == grade
    assert STATUS[grade] == status
    assert len(GRADES) == 6


@RELAXED
@given(CASES)
def test_the_score_is_linear(decided: list[tuple[Category, Outcome | None]]) -> None:
    points = score(made(decided))
    off = sum(p.points for p in points.penalties)
    assert points.low == pytest.approx(max(0, sum(c.low for c in points.categories) - off), abs=0.1)
    assert points.high == pytest.approx(
        max(0, sum(c.high for c in points.categories) - off), abs=0.1
    )
    for category in points.categories:
        share = category.corroborated / category.planned if category.planned else 0
        assert category.low == pytest.approx(category.weight * share, abs=0.011)


@RELAXED
@given(CASES, st.data())
def test_a_better_outcome_never_lowers_the_score(
    decided: list[tuple[Category, Outcome | None]], data: st.DataObject
) -> None:
    whole = made(
        [(c, o) for c, o in decided if o is not None] or [(Category.QUAL, Outcome.CRASHED)]
    )
    index = data.draw(st.integers(0, len(whole.results) - 1))
    before = score(whole)
    after = score(with_outcome(whole, index, Outcome.CORROBORATED))
    worse = score(with_outcome(whole, index, Outcome.CRASHED))
    assert worse.low <= before.low <= after.low
    assert worse.high <= before.high


@RELAXED
@given(CASES)
def test_the_range_is_a_range_and_decided_cases_close_it(
    decided: list[tuple[Category, Outcome | None]],
) -> None:
    points = score(made(decided))
    assert 0 <= points.low <= points.high <= 1000
    open_case = any(o is None or o.undecided for _, o in decided)
    empty = {c for c, _ in decided} != set(Category)
    if not open_case and not empty:
        assert not points.incomplete


@RELAXED
@given(CASES)
def test_an_empty_category_never_has_points(
    decided: list[tuple[Category, Outcome | None]],
) -> None:
    for category in score(made(decided)).categories:
        if not category.planned:
            assert (category.low, category.high) == (0, category.weight)


@RELAXED
@given(CASES)
def test_what_was_skipped_never_counts_as_passed(
    decided: list[tuple[Category, Outcome | None]],
) -> None:
    skipped: list[tuple[Category, Outcome | None]] = [
        (c, None if o is Outcome.CORROBORATED else o) for c, o in decided
    ]
    points = score(made(skipped))
    assert points.low == 0
    assert points.status == "Blocked"
    assert all(c.corroborated == 0 for c in points.categories)


@RELAXED
@given(CASES)
def test_nothing_ships_without_gateways(decided: list[tuple[Category, Outcome | None]]) -> None:
    assert score(made(decided)).status in ("Development Only", "Blocked")


def without(category: str) -> RunRecord:
    whole = healthy()
    return replace(
        whole,
        planned=tuple(c for c in whole.planned if c.category != category),
        results=tuple(r for r in whole.results if r.case.category != category),
    )


EDGE = f"{CELLS[0]}::ask_edge"
EXAMPLES = {
    "everything corroborated, all pinned": healthy(),
    "the same, one artifact not pinned": record(pinned=False),
    "one EDGE scenario falsified": record({EDGE: Outcome.FALSIFIED}),
    "one EDGE scenario timed out": record({EDGE: Outcome.TIMEOUT}),
    "one EDGE scenario crashed": record({EDGE: Outcome.CRASHED}),
    "one EDGE scenario unavailable": record({EDGE: Outcome.UNAVAILABLE}),
    "no case planned in PERF": without("PERF"),
    "one gateway undecided": record({f"{CELLS[0]}::G4": None}),
    "one gateway falsified": gateway_failed(),
    "nothing could run": unavailable(),
    "a script answered instead of the model": scripted(),
    "some of each": mixed(),
}


def test_what_a_script_answered_is_no_evidence() -> None:
    points = score(scripted())
    assert points.decided == 0
    assert "A script answers for gguf-q4_1, safetensors-f32" in missing_of(points)
    assert all(g.outcome is None for g in points.gateways)


def points_of(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_worked_example_of_the_documentation_is_right(name: str) -> None:
    s = score(EXAMPLES[name])
    row = f"| {name} | {points_of(s.low, s.high)} | {s.grades} | {s.status} |"
    assert row in DOCUMENT.splitlines()


def test_the_documented_tables_are_the_codes() -> None:
    lines = DOCUMENT.splitlines()
    for category, weight in WEIGHTS.items():
        assert any(line.startswith(f"| {category} | {weight} |") for line in lines)
    for least, grade in GRADES:
        points = f"{least} and more" if least else "less"
        assert f"| {points} | {grade} | {STATUS[grade]} |" in lines
    for part in score(mixed()).categories:
        earned = f"{part.corroborated} of {part.planned}: {part.low:g}"
        assert f"| {part.name} | {earned} | {part.high:g} |" in lines
    assert "| penalties | -30 | -30 |" in lines


def test_a_case_is_planned_once_however_often_it_is_listed() -> None:
    whole = healthy()
    twice: tuple[PlannedCase, ...] = whole.planned * 2
    assert score(replace(whole, planned=twice)) == score(whole)
