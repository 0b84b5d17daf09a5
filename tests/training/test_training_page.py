"""docs/training.md: its tables are what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.config import load
from training.config.load import SHIPPED
from training.config.schema import markdown
from training.records import HOLD_OUT, HOLD_OUT_SIZE, TRAINING_SETS
from training.synth import generate

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """What stands between a mark and its end."""
    return PAGE.split(f"<!-- {name} -->\n")[1].split(f"<!-- end of {name} -->")[0].strip()


def test_the_table_of_keys_is_what_the_schema_says() -> None:
    assert block("keys") == markdown()


def test_every_set_is_told_with_its_size() -> None:
    told = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", PAGE, re.MULTILINE)
    sizes = {name: int(count.replace(",", "")) for name, count in told if name != "file"}
    assert sizes == {**TRAINING_SETS, HOLD_OUT: HOLD_OUT_SIZE}


def test_the_shipped_configurations_are_all_told() -> None:
    for path in SHIPPED.glob("*.json"):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{path.name}`"))
        if synthetic := load(path).dataset.synthetic:
            records = synthetic.size or sum(each.records for each in synthetic.sets)
            assert f"{records:,} records" in row


@pytest.mark.nightly
def test_the_full_sets_are_those_that_the_page_tells_of() -> None:
    made = {f"{p.name}.jsonl": (len(p.records), p.sha256[:16]) for p in generate(39_000, 0).files}
    rows = [line.split() for line in block("synth").splitlines() if ".jsonl" in line]
    assert {row[0]: (int(row[1].replace(",", "")), row[-1]) for row in rows} == made
