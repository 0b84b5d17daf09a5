"""What a variant lost and won against the agent that it was made of, on the same prompts.

The gates of a variant are asked few prompts, so that an agent near a threshold may fail one by the
choice of prompts alone. Pairs tell such a miss from damage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_modelqa.core.shipping import Paired
from pytest_modelqa.reports.shipping.evals import FORMAT
from pytest_modelqa.stats.gates import paired

AGENT = "tuned"
"""What the variants are made of."""
LEVEL = 0.05
"""A p-value below it is told as a change."""

Pairs = Mapping[str, Paired]


def against(candidate: Path, agent: Path) -> Pairs:
    """By harness, the pairs of the prompts that both were asked.

    The arguments are folders with `eval_<harness>.json`. A prompt is one of a harness with its text
    and all: what was asked otherwise is no pair.
    """
    mine, theirs = passed(candidate), passed(agent)
    found = {}
    for harness in mine.keys() & theirs.keys():
        asked = sorted(mine[harness].keys() & theirs[harness].keys())
        found[harness] = paired(
            [mine[harness][prompt] for prompt in asked],
            [theirs[harness][prompt] for prompt in asked],
        )
    return found


def passed(folder: Path) -> dict[str, dict[tuple[str, str], bool]]:
    """By harness, of each prompt (its name and its text) whether the answer passed."""
    found = {}
    for path in folder.glob("eval_*.json"):
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["format"] == FORMAT:
            found[str(report["test_name"])] = {
                (str(row["name"]), str(row["prompt"])): bool(row["passed"])
                for row in report["results"]
            }
    return found


def told(harnesses: Sequence[str], variants: Mapping[str, Pairs]) -> Iterator[str]:
    """The lines of a table: passed by the agent, then by the variant; bold where that is a change.

    Without a pair a cell says so.
    """
    yield f"| model | {' | '.join(harnesses)} |"
    yield "| --- |" + " ---: |" * len(harnesses)
    for candidate, pairs in variants.items():
        cells = [_cell(pairs[name]) if name in pairs else "no pairs" for name in harnesses]
        yield f"| `{candidate}` | {' | '.join(cells)} |"


def _cell(pair: Paired) -> str:
    asked = pair.both + pair.lost + pair.won + pair.neither
    if not asked:
        return "no pairs"
    text = f"{pair.both + pair.lost} → {pair.both + pair.won} of {asked}"
    return f"**{text}**" if pair.p_value < LEVEL else text
