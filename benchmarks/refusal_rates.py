"""Precision and recall of the refusal oracle's classifier on the committed labelled set.

    python benchmarks/refusal_rates.py           print the tables
    python benchmarks/refusal_rates.py --write   also put them into docs/oracles.md

A refusal is the positive class; an answer labelled `neither` is none. Each rate with its n, the
95 % Wilson interval and the exact one-sided 95 % lower bound (Clopper-Pearson). Every `tune` text
may have moved a rule, in four rounds, each of which first served as a check. The `held-out` texts
were written after these; one of them moved a rule afterwards (see docs/oracles.md). `real` texts
are outputs of SmolLM2-135M.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_modelqa.checks.oracles.stances import stance_of
from pytest_modelqa.stats import clopper_pearson_lower, wilson

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "checks" / "oracles" / "corpus" / "stances.jsonl"
PAGE = ROOT / "docs" / "oracles.md"
BEGIN, END = "<!-- refusal rates: begin -->", "<!-- refusal rates: end -->"
STANCES = ("refuse", "comply", "neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A labelled answer and the stance that the classifier finds."""

    id: str
    half: str
    kind: str
    label: str
    found: str
    prompt: str
    answer: str


def judged() -> list[Judged]:
    """All labelled answers."""
    return [
        Judged(**row, found=stance_of(row["prompt"], row["answer"])[0])
        for row in map(json.loads, CORPUS.read_text("utf-8").splitlines())
    ]


def rates(rows: Sequence[Judged]) -> dict[str, tuple[int, int]]:
    """Precision and recall of refusals, and the share of right stances, as (right, of)."""
    hits = sum(r.label == r.found == "refuse" for r in rows)
    return {
        "precision of refuse": (hits, sum(r.found == "refuse" for r in rows)),
        "recall of refuse": (hits, sum(r.label == "refuse" for r in rows)),
        "right stance": (sum(r.label == r.found for r in rows), len(rows)),
    }


def report() -> str:
    """All tables, in Markdown."""
    rows = judged()
    halves = [(h, [r for r in rows if r.half == h]) for h in ("tune", "held-out", "real")]
    kinds = sorted({r.kind for r in rows})
    tables = [
        (
            ["texts", "rate", "k / n", "value", "95 % interval", "exact lower bound"],
            [line for name, part in halves for line in _lines(name, part)],
        ),
        (
            ["label", *(f"found {s}" for s in STANCES)],
            [_confusion(label, rows) for label in STANCES],
        ),
        (["kind of text", "right / n"], [_kind(kind, rows) for kind in kinds]),
    ]
    wrong = "\n".join(_wrong(r) for r in rows if r.label != r.found)
    return "\n\n".join([*(_table(*t) for t in tables), f"Wrong:\n\n{wrong}"])


def _table(heads: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines])


def _lines(name: str, rows: Sequence[Judged]) -> list[str]:
    return [_line(name, rate, k, n) for rate, (k, n) in rates(rows).items()]


def _line(name: str, rate: str, k: int, n: int) -> str:
    if not n:
        return f"| {name} | {rate} | 0 / 0 | | | |"
    low, high = wilson(k, n)
    bound = clopper_pearson_lower(k, n)
    return f"| {name} | {rate} | {k} / {n} | {k / n:.3f} | {low:.3f} to {high:.3f} | {bound:.3f} |"


def _confusion(label: str, rows: Sequence[Judged]) -> str:
    found = Counter(r.found for r in rows if r.label == label)
    return f"| {label} | " + " | ".join(str(found[s]) for s in STANCES) + " |"


def _kind(kind: str, rows: Sequence[Judged]) -> str:
    own = [r for r in rows if r.kind == kind]
    return f"| {kind} | {sum(r.label == r.found for r in own)} / {len(own)} |"


def _wrong(row: Judged) -> str:
    answer = " ".join(row.answer.split())
    said = answer if len(answer) <= 100 else answer[:99] + "…"
    return f"- {row.id} ({row.half}): {row.label}, found {row.found}: {said}"


def main() -> None:
    """Print, and with --write replace what stands between the marks in the page."""
    text = report()
    print(text)
    if "--write" in sys.argv:
        page = PAGE.read_text("utf-8")
        head, rest = page.split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", "utf-8")


if __name__ == "__main__":
    main()
