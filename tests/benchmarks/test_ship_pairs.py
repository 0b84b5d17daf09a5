"""Misses that the agent has too are told from damage, by the same prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.ship_pairs import against, told


def reports(folder: Path, harness: str, passed: dict[str, bool], text: str = "Write {}.") -> Path:
    """A folder with the report of a harness, a row for each prompt."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"name": name, "prompt": text.format(name), "passed": right}
        for name, right in passed.items()
    ]
    made = {"format": "modelqa-eval", "test_name": harness, "results": rows}
    (folder / f"eval_{harness}.json").write_text(json.dumps(made))
    (folder / "eval_report_final.json").write_text('{"format": "modelqa-ship-decision"}')
    return folder


def cell(tmp_path: Path, agent: dict[str, bool], variant: dict[str, bool]) -> str:
    pairs = against(reports(tmp_path / "v", "x", variant), reports(tmp_path / "a", "x", agent))
    return list(told(["x"], {"v": pairs}))[-1].split(" | ")[1].removesuffix(" |")


def prompts(count: int, right: int) -> dict[str, bool]:
    return {f"p{i}": i < right for i in range(count)}


@pytest.mark.parametrize(
    ("right", "expected"),
    [(30, "30 → 30 of 30"), (25, "30 → 25 of 30"), (24, "**30 → 24 of 30**")],
)
def test_six_lost_and_none_won_is_a_change_and_five_are_not(
    tmp_path: Path, right: int, expected: str
) -> None:
    # 2 / 2**6 = 0.031, 2 / 2**5 = 0.0625
    assert cell(tmp_path, prompts(30, 30), prompts(30, right)) == expected


def test_negative_as_many_lost_as_won_is_no_change(tmp_path: Path) -> None:
    first = {f"p{i}": i < 15 for i in range(30)}
    other = {name: not right for name, right in first.items()}
    assert cell(tmp_path, first, other) == "15 → 15 of 30"


def test_negative_prompts_that_only_one_was_asked_are_no_pairs(tmp_path: Path) -> None:
    assert cell(tmp_path, prompts(100, 100), prompts(30, 30)) == "30 → 30 of 30"
    agent = reports(tmp_path / "b", "x", prompts(30, 30), "Now write {}.")
    assert list(told(["x"], {"v": against(tmp_path / "v", agent)}))[-1] == "| `v` | no pairs |"


def test_negative_a_harness_that_only_one_has_is_told(tmp_path: Path) -> None:
    agent = reports(tmp_path / "a", "x", prompts(3, 3))
    pairs = against(reports(tmp_path / "v", "y", prompts(3, 3)), agent)
    assert list(told(["x"], {"v": pairs}))[-1] == "| `v` | no pairs |"
