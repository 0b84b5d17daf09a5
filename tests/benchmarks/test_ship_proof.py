"""The page of the ship decisions: it says what the receipts say, and hides no failure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.ship_pairs import AGENT, LEVEL, against, passed
from benchmarks.ship_proof import NOTHING, PAGE, RECEIPTS, decisions, page, take_builds, take_run
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.decision.judging import judged
from pytest_modelqa.reports.shipping.write import write_decisions
from tests.reports.shipping_records import canary, harness, refusal, shipping

MARKED = "".join(
    f"<!-- {name}: begin -->\n<!-- {name}: end -->\n"
    for name in ("decisions", "pairs", "reasons", "speed", "training")
)
BLOCKERS = {
    "without-links": "pdca_schema",
    "without-substance": "pdca_quality",
    "without-order": "tron",
    "without-empty-constructors": "empty_constructor",
    "without-arguments": "tool_success",
    "without-refusals": "refusal",
}
"""Each planted regression, and the harness that is there to see it."""
ALSO = {
    "without-links": {"pdca_quality"},
    "without-order": {"pdca_quality"},
    "without-substance": {"tron"},
}
"""Harnesses that ask for it too: quality for a whole document, some prompts of tron for a Plan."""


@pytest.fixture
def receipts(tmp_path: Path) -> Path:
    """A candidate that was cleared and one that was blocked, taken over from their reports."""
    good = harness("pdca", 97), refusal(100, 0, 1, 99)
    bad = harness("pdca", 3), refusal(100, 0, 1, 99)
    for name, results in (("tuned", good), ("damaged", bad)):
        record = shipping(*results, canary("one", [True]), candidate=name)
        write_decisions(tmp_path / name, [judged(record)], {})
        take_run(tmp_path / name, tmp_path / "receipts")
    take_builds(
        [built(tmp_path / "a", "pypi:x"), built(tmp_path / "b", "build:y")], tmp_path / "receipts"
    )
    return tmp_path / "receipts"


def built(folder: Path, base: str) -> Path:
    """A folder with what a builder says of a training on `base`."""
    folder.mkdir()
    made = {
        "recipe": {"model": {"source": base}},
        "losses": [2.0] * 8 + [1.0] * 8,
        "leakage": {"leaked": 0, "tested": 7},
        "versions": {"torch": "2"},
    }
    (folder / "build.json").write_text(json.dumps(made))
    return folder


def rows(receipts: Path, section: str = "decisions") -> list[str]:
    text = page(MARKED, receipts).split(f"<!-- {section}: begin -->")[1].split("<!-- ")[0]
    return [line for line in text.splitlines() if line.startswith("| `")]


def test_the_committed_page_is_what_the_committed_receipts_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, RECEIPTS) == text, "python -m benchmarks.ship_proof"


def test_the_recorded_agent_is_cleared_the_base_and_each_regression_are_blocked() -> None:
    said = {name: made["decision"] for name, made in decisions(RECEIPTS).items()}
    expected = {AGENT: "CLEARED"} | dict.fromkeys(("base", *BLOCKERS), "BLOCKED")
    assert said == said | expected


def test_each_recorded_regression_is_blocked_by_the_harness_that_asks_for_it() -> None:
    recorded = decisions(RECEIPTS)
    for name, blocker in BLOCKERS.items():
        made = recorded[name]
        failed = {row["test_name"] for row in made["results"] if not row["gate_passed"]}
        assert blocker in failed, name
        assert any(blocker in reason for reason in made["reasons"]), name


def test_each_recorded_regression_costs_its_own_harness_most_and_no_other_much() -> None:
    for name, blocker in BLOCKERS.items():
        pairs = against(RECEIPTS / name, RECEIPTS / AGENT)
        own = pairs[blocker]
        for asked in pairs.keys() - {blocker} - ALSO.get(name, set()):
            other = pairs[asked]
            assert other.p_value >= LEVEL or other.won > other.lost, (name, asked)
            assert own.lost - own.won > other.lost - other.won, (name, asked)


def test_what_empty_phrases_cost_tron_are_prompts_for_a_plan() -> None:
    agent = passed(RECEIPTS / AGENT)["tron"]
    variant = passed(RECEIPTS / "without-substance")["tron"]
    lost = [text for (name, text), right in variant.items() if agent[name, text] and not right]
    kept = [text for (_, text), right in variant.items() if right]
    assert lost
    assert all("plan" in text.lower() for text in lost)
    assert sum("plan" in text.lower() for text in kept) < len(kept) / 2


def test_each_candidate_has_its_decision_its_counts_and_their_bounds(receipts: Path) -> None:
    cleared, blocked = rows(receipts)
    assert cleared.startswith("| `tuned` | CLEARED | 97/100 (92.42 %) | F1 99.5 % of 200 (")
    assert cleared.endswith("| 1/1 |")
    assert blocked.startswith("| `damaged` | BLOCKED | **3/100** (")


def test_negative_the_reason_of_a_block_is_told_and_none_of_what_was_cleared(
    receipts: Path,
) -> None:
    told = [line for line in page(MARKED, receipts).splitlines() if line.startswith("- `")]
    assert told
    assert all(line.startswith("- `damaged`: ") for line in told)
    assert "pdca is blocked" in told[0]


def test_all_answers_and_the_incident_are_among_the_receipts(receipts: Path) -> None:
    assert sorted(path.name for path in (receipts / "damaged").iterdir()) == [
        "canary_report.json",
        "eval_pdca.json",
        "eval_refusal.json",
        "eval_report_final.json",
        "incident.md",
    ]
    assert not (receipts / "tuned" / "incident.md").exists()


def test_a_later_run_replaces_what_an_earlier_one_left(receipts: Path, tmp_path: Path) -> None:
    record = shipping(harness("other", 99), canary("one", [True]), candidate="damaged")
    write_decisions(tmp_path / "again", [judged(record)], {})
    take_run(tmp_path / "again", receipts)
    assert decisions(receipts)["damaged"]["decision"] == "CLEARED"
    assert not (receipts / "damaged" / "incident.md").exists()
    assert not (receipts / "damaged" / "eval_pdca.json").exists()


def test_negative_a_candidate_without_a_recorded_run_is_named(receipts: Path) -> None:
    (told,) = [x for x in page(MARKED, receipts).splitlines() if x.startswith("Not recorded: ")]
    assert told.startswith("Not recorded: `base`, `tuned-q4_k_m`, ")
    assert all(f"`{name}`" in told for name in BLOCKERS)
    assert "`tuned`" not in told


def test_each_candidate_is_held_against_the_agent_on_the_same_prompts(receipts: Path) -> None:
    assert rows(receipts, "pairs") == ["| `damaged` | **97 → 3 of 100** | 199 → 199 of 200 |"]


def test_negative_without_the_agent_nothing_is_held_against_it(receipts: Path) -> None:
    shutil.rmtree(receipts / "tuned")
    assert rows(receipts, "pairs") == []
    assert NOTHING in page(MARKED, receipts).split("<!-- pairs: begin -->")[1].split("<!-- ")[0]


def test_each_training_is_told_in_order_with_its_loss_in_parts(receipts: Path) -> None:
    losses = "2.000, 2.000, 2.000, 2.000, 1.000, 1.000, 1.000, 1.000"
    assert rows(receipts, "training") == [
        f"| `pypi:x` | 16 | {losses} | 0 of 7 |",
        f"| `build:y` | 16 | {losses} | 0 of 7 |",
    ]


def test_trainings_that_are_taken_over_again_replace_the_earlier_ones(
    receipts: Path, tmp_path: Path
) -> None:
    take_builds([built(tmp_path / "c", "file:z")], receipts)
    assert [row.split(" | ")[0] for row in rows(receipts, "training")] == ["| `file:z`"]


def test_negative_a_folder_without_a_decision_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"eval_report_final.json: cannot be read"):
        take_run(tmp_path, tmp_path / "receipts")


def test_negative_what_was_not_decided_is_not_told(tmp_path: Path) -> None:
    made = page(MARKED, tmp_path)
    assert made.count(NOTHING) == 5
    assert "CLEARED" not in made
    assert "|" not in made
