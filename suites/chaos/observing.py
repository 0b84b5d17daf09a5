"""What a run left behind, held against the steady state: nothing lost, nothing twice, nobody left.

Everything is read back the way reports read it: from the evidence on disk.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read
from suites.chaos.naming import MARK

Line = dict[str, Any]

_MEASURED = ("prefill_s", "decode_s")
"""What differs between two equal answers: seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The steady state that a fault must not disturb; each field names what disturbed it.

    `lost`: planned cases without a result, and evidence that a result names and nobody wrote.
    `duplicated`: answers or results that one run wrote twice. `changed`: cases other than the
    victims whose verdict or answers are not those of the undisturbed run. `orphans`: processes.
    """

    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()

    @property
    def disturbed(self) -> str:
        """What is not as it should be, in one line; empty where all is."""
        named = ((name, getattr(self, name)) for name in type(self).__slots__)
        return "; ".join(f"{name}: {', '.join(what)}" for name, what in named if what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The evidence of one run: its lines, and its results by case."""

    lines: tuple[Line, ...]
    results: dict[str, CaseResult]
    planned: tuple[str, ...]
    incidents: tuple[str, ...]
    interrupted: bool

    def outcomes(self) -> dict[str, str]:
        """Outcome by case."""
        return {name: str(r.verdict.outcome) for name, r in self.results.items()}

    def verdict(self, case: str) -> tuple[str, str]:
        """Outcome and reason of the case whose id ends so."""
        (found,) = (r for name, r in self.results.items() if name.endswith(f"::{case}"))
        return str(found.verdict.outcome), found.verdict.reason

    @property
    def answers(self) -> tuple[Line, ...]:
        """The answers as they were written."""
        return tuple(line for line in self.lines if line["type"] == "answer")

    @property
    def fresh(self) -> int:
        """How many answers were not taken from earlier evidence."""
        return sum(not line["resumed"] for line in self.answers)


def look(folder: Path) -> Seen:
    """The last run whose evidence lies in a folder."""
    lines = list(read([folder]))
    runs = _by_run(lines)
    last = runs[max(runs, key=lambda run: runs[run][0]["run"]["started"])]
    (record,) = records(last)
    return Seen(
        lines=tuple(last),
        results={r.case.id: r for r in record.results},
        planned=tuple(p.id for p in record.planned),
        incidents=record.incidents,
        interrupted=record.run.interrupted,
    )


def steady(seen: Seen, undisturbed: Seen, victims: Iterable[str] = (), mark: str = "") -> Steady:
    """Compare with an undisturbed run of the same playbook; `victims` are ends of case ids.

    Whatever either of the two planned is compared: a plan that shrinks or grows is a change.
    """
    ends = tuple(f"::{v}" for v in victims)
    either = dict.fromkeys((*undisturbed.planned, *seen.planned))
    others = [case for case in either if not case.endswith(ends)]
    return Steady(
        lost=tuple(lost(seen)),
        duplicated=tuple(duplicated(seen.lines)),
        changed=tuple(changed(seen, undisturbed, others)),
        orphans=tuple(marked(mark)) if mark else (),
    )


def lost(seen: Seen) -> list[str]:
    """Planned cases without a result, and keys that a result names and no answer has."""
    keys = {line["key"] for line in seen.answers}
    named = {key for r in seen.results.values() for key in r.evidence}
    without = [case for case in seen.planned if case not in seen.results]
    return without + [f"answer {key}" for key in sorted(named - keys)]


def duplicated(lines: Sequence[Line]) -> list[str]:
    """What one run wrote more than once: an answer's key, a case's result."""
    answers = Counter(f"answer {line['key']}" for line in lines if line["type"] == "answer")
    cases = Counter(
        f"result {line['result']['case']['id']}" for line in lines if line["type"] == "result"
    )
    return [what for what, times in (answers + cases).items() if times > 1]


def changed(seen: Seen, undisturbed: Seen, cases: Iterable[str]) -> list[str]:
    """The cases whose outcome or answers are not those of the undisturbed run."""
    ours, theirs = _answers(seen), _answers(undisturbed)
    return [case for case in cases if _told(seen, case, ours) != _told(undisturbed, case, theirs)]


def marked(mark: str) -> list[str]:
    """Living processes that inherited the mark of a run, as `pid command`; zombies are dead."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            inherited = wanted in (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if inherited and command:
            found.append(f"{folder.name} {command[:80]}")
    return found


def _by_run(lines: Iterable[Line]) -> dict[str, list[Line]]:
    runs: dict[str, list[Line]] = {}
    current: list[Line] = []
    for line in lines:
        if line["type"] == "run":
            current = runs.setdefault(line["run"]["id"], [])
        current.append(line)
    return runs


def _answers(seen: Seen) -> dict[str, Line]:
    return {
        line["key"]: {k: v for k, v in line["answer"].items() if k not in _MEASURED}
        for line in seen.answers
    }


def _told(seen: Seen, case: str, answers: dict[str, Line]) -> object:
    result = seen.results.get(case)
    if result is None:
        return None
    return str(result.verdict.outcome), [answers.get(key) for key in result.evidence]
