"""docs/web4_agent.md: what the ship gates said of each candidate, and how the agent was trained.

    python -m benchmarks.ship_proof RUN ...        takes the reports of runs over, writes the page
    python -m benchmarks.ship_proof --build DIR    takes over how a model was made; again for each
                                                   training, in their order
    python -m benchmarks.ship_proof --check        says whether the page is what the receipts say

RUN is a folder with `eval_report_final.json` (`pytest --playbook ... --modelqa-report RUN`), DIR
one that `python -m training.web4_agent` filled. Both become receipts, docs/receipts/web4-agent, and
every figure of the page comes from these.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import ship_pairs
from benchmarks.table import with_section
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.playbook import extending
from pytest_modelqa.playbook.candidates import variants
from pytest_modelqa.reports.shipping.history import FILE
from pytest_modelqa.reports.shipping.shares import percent
from pytest_modelqa.reports.shipping.write import CANARIES, INCIDENT

ROOT = Path(__file__).parents[1]
RECEIPTS = ROOT / "docs" / "receipts" / "web4-agent"
PAGE = ROOT / "docs" / "web4_agent.md"
PLAYBOOK = ROOT / "playbooks" / "ship" / "web4-agent-damaged.yaml"
"""Its models, and those of the playbook that it extends, are the candidates."""
BUILD = "build.json"
FIRST = ("base", ship_pairs.AGENT)
"""The others follow in the order of their names."""
NOTHING = "Nothing is recorded yet."
REMEDY = (
    "pytest --playbook playbooks/ship/web4-agent.yaml --model tuned --modelqa-report RUN, "
    "then python -m benchmarks.ship_proof RUN"
)
_PARTS = 8
"""A loss curve is told as the means of so many parts."""

Receipt = Mapping[str, Any]


def main(argv: Sequence[str]) -> int:
    """Take over what is named, then write the page, or compare it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship_proof", description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path, help="report folders of runs that decided")
    parser.add_argument("--build", type=Path, action="append", default=[], help="a model's folder")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where it differs")
    options = parser.parse_args(argv)
    for run in options.runs:
        take_run(run, RECEIPTS)
    if options.build:
        take_builds(options.build, RECEIPTS)
    was = PAGE.read_text(encoding="utf-8")
    made = page(was, RECEIPTS)
    if options.check:
        print("as the receipts say" if made == was else f"{PAGE.name} is not what they say")
        return int(made != was)
    PAGE.write_text(made, encoding="utf-8")
    return 0


def take_run(run: Path, receipts: Path) -> None:
    """Decision, canaries, incident and all answers of a run, under its candidate's name."""
    candidate = str(_read(run / FILE)["candidate"])
    target = receipts / candidate
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in (*run.glob("eval_*.json"), run / CANARIES, run / INCIDENT):
        if file.is_file():
            shutil.copyfile(file, target / file.name)


def take_builds(folders: Sequence[Path], receipts: Path) -> None:
    """What `build.json` of each folder says of its training, instead of what was there."""
    made = [_read(folder / BUILD) for folder in folders]
    receipts.mkdir(parents=True, exist_ok=True)
    for old in _builds(receipts):
        old.unlink()
    for number, training in enumerate(made, 1):
        path = receipts / f"build-{number}.json"
        path.write_text(json.dumps(training, indent=1) + "\n", encoding="utf-8")


def _builds(receipts: Path) -> list[Path]:
    return sorted(receipts.glob("build-*.json"))


def page(text: str, receipts: Path) -> str:
    """The page with its sections made of the receipts. Raises ValueError without their markers."""
    found = decisions(receipts)
    for name, maker in (("decisions", _decisions), ("reasons", _reasons), ("speed", _speed)):
        text = with_section(text, name, "\n".join(maker(found)) if found else NOTHING)
    text = with_section(text, "pairs", "\n".join(_pairs(found, receipts)) or NOTHING)
    trainings = [_read(path) for path in _builds(receipts)]
    return with_section(text, "training", "\n".join(_trainings(trainings)) or NOTHING)


def decisions(receipts: Path) -> dict[str, Receipt]:
    """Each candidate's decision, in the page's order."""
    found = {path.parent.name: _read(path) for path in receipts.glob(f"*/{FILE}")}
    return dict(sorted(found.items(), key=lambda pair: (_rank(pair[0]), pair[0])))


def _rank(candidate: str) -> int:
    return FIRST.index(candidate) if candidate in FIRST else len(FIRST)


def _decisions(found: Mapping[str, Receipt]) -> Iterator[str]:
    names = [row["test_name"] for row in next(iter(found.values()))["results"]]
    yield f"| model | decision | {' | '.join(names)} | overall | canaries |"
    yield "| --- | --- |" + " ---: |" * (len(names) + 2)
    for candidate, made in found.items():
        cells = {row["test_name"]: _gauge(row) for row in made["results"]}
        canaries = made["canaries"]
        yield (
            f"| `{candidate}` | {made['decision']} | {' | '.join(cells[n] for n in names)} "
            f"| {percent(made['overall_score'])} | {canaries['passed']}/{canaries['total']} |"
        )
    if missing := [name for name in variants(extending.read(PLAYBOOK).tree) if name not in found]:
        yield ""
        yield f"Not recorded: {', '.join(f'`{name}`' for name in missing)}."


def _pairs(found: Mapping[str, Receipt], receipts: Path) -> Iterator[str]:
    agent = ship_pairs.AGENT
    if agent not in found or len(found) == 1:
        return
    names = [row["test_name"] for row in found[agent]["results"]]
    others = [name for name in found if name != agent]
    held = {name: ship_pairs.against(receipts / name, receipts / agent) for name in others}
    yield from ship_pairs.told(names, held)


def _gauge(row: Receipt) -> str:
    """The metric, and the exact lower bound; bold where the harness did not pass."""
    gauge = row["gauge"]
    if gauge is None:
        return "not measured"
    metric = gauge["demand"]["metric"]
    value = f"{gauge['passed']}/{gauge['n']}"
    if metric == "f1":
        value = f"F1 {percent(gauge['value'])} of {gauge['n']}"
    shown = value if row["gate_passed"] else f"**{value}**"
    return f"{shown} ({percent(gauge['lower'])})"


def _reasons(found: Mapping[str, Receipt]) -> Iterator[str]:
    for candidate, made in found.items():
        for reason in made["reasons"]:
            yield f"- `{candidate}`: {_cell(reason)}"


def _speed(found: Mapping[str, Receipt]) -> Iterator[str]:
    yield "| model | tokens | tokens/s | engine, s | wall, s | engine's share |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for candidate, made in found.items():
        speed = made["speed"]
        rate, share = speed["tokens_per_second"], speed["engine_share_of_wall"]
        yield (
            f"| `{candidate}` | {speed['generated_tokens']:,} | {f'{rate:.1f}' if rate else '-'} "
            f"| {speed['engine_seconds']:.0f} | {speed['wall_seconds']:.0f} | {percent(share)} |"
        )
    yield ""
    machines = {json.dumps(m["machine"], sort_keys=True): m for m in found.values()}
    for made in machines.values():
        yield f"Measured on: {'; '.join(f'{k} {v}' for k, v in made['machine'].items())}."
    libraries = {", ".join(f"{k} {v}" for k, v in m["versions"].items()) for m in found.values()}
    yield f"With {'; '.join(sorted(libraries))}."


def _trainings(made: Sequence[Receipt]) -> Iterator[str]:
    """Losses are nats a target token, as the means of parts in order."""
    if not made:
        return
    yield f"| trained on | steps | loss, as means of {_PARTS} parts in order | hold-out, leaked |"
    yield "| --- | ---: | --- | ---: |"
    for training in made:
        losses, leakage = training["losses"], training["leakage"]
        yield (
            f"| `{training['recipe']['model']['source']}` | {len(losses)} "
            f"| {', '.join(f'{fmean(part):.3f}' for part in _split(losses))} "
            f"| {leakage['leaked']} of {leakage['tested']} |"
        )
    yield ""
    libraries = {", ".join(f"{k} {v}" for k, v in each["versions"].items()) for each in made}
    yield f"With {'; '.join(sorted(libraries))}."


def _split(values: Sequence[float]) -> Iterator[Sequence[float]]:
    for i in range(_PARTS):
        yield values[i * len(values) // _PARTS : (i + 1) * len(values) // _PARTS]


def _cell(text: str) -> str:
    """One line; what a model said stays text."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path), remedy=REMEDY) from error
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UsageError as problem:
        sys.exit(str(problem))
