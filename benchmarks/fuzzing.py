"""`python -m benchmarks.fuzzing`: run every fuzz target, put the figures into docs/fuzz.md."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import with_section
from suites.fuzz.outcome import Outcome
from suites.fuzz.targets import NUMERIC, SHARES, fuzz

PAGE = Path(__file__).parents[1] / "docs" / "fuzz.md"


class Run(NamedTuple):
    """An outcome, and the processor time that it took, of other processes too."""

    outcome: Outcome
    processor_s: float


def _run(name: str, count: int, seed: int) -> Run:
    before = sum(os.times()[:4])
    outcome = fuzz(name, count, seed)
    return Run(outcome, sum(os.times()[:4]) - before)


def table(runs: Sequence[Run]) -> str:
    """One row a target, in Markdown."""
    head = "| target | iterations | seconds | of processor | invariants | checked | violations |"
    line = "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    return "\n".join([head, line, *map(_row, runs)])


def _row(run: Run) -> str:
    o = run.outcome
    times = f"{o.seconds:.1f} | {run.processor_s:.1f}"
    counts = f"{len(o.checked)} | {sum(o.checked.values()):,} | {o.violations:,}"
    return f"| `{o.target}` | {o.iterations:,} | {times} | {counts} |"


def main() -> None:
    """Run all targets one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=1_000_000, help="of what computes")
    parser.add_argument("--files", type=int, default=100_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    wanted = dict.fromkeys(NUMERIC, given.iterations)
    wanted |= {name: max(1, given.files * share // 100) for name, share in SHARES.items()}
    runs = []
    for name, count in wanted.items():
        runs.append(_run(name, count, given.seed))
        print("\n".join(runs[-1].outcome.lines()), flush=True)
    command = f"`python -m benchmarks.fuzzing --iterations {given.iterations} --files {given.files}"
    told = f"Made by {command} --seed {given.seed}`.\n\n{table(runs)}"
    page = with_section(PAGE.read_text(encoding="utf-8"), "figures", told)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
