"""What a record amounts to, as small values that every report shows in its own way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.score import Score
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.reports.text import count, one_line, shortened

NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Undecided cases with one reason and one remedy; names quoted in the reason may differ."""

    outcome: Outcome
    reason: str
    remedy: str
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Generated tokens of a cell, and the seconds that their decoding took."""

    scope: str
    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        """Tokens/s."""
        return self.tokens / self.seconds


def outcome_counts(record: RunRecord) -> dict[str, int]:
    """Cases by outcome, all outcomes named, and those that were planned and not run."""
    found = Counter(r.verdict.outcome for r in record.results)
    counts = {str(o): found[o] for o in Outcome}
    return {**counts, NOT_RUN: len(not_run(record))}


def not_run(record: RunRecord) -> list[str]:
    """The ids of planned cases without a result."""
    decided = {r.case.id for r in record.results}
    return [c.id for c in record.planned if c.id not in decided]


def failures(record: RunRecord) -> list[CaseResult]:
    """Failed cases: gateways first, then by severity, else in the record's order."""
    failed = [r for r in record.results if r.verdict.outcome.failed]
    return sorted(failed, key=lambda r: (not r.case.is_gateway, r.case.severity))


def groups(record: RunRecord) -> list[Group]:
    """Undecided cases by what stands in their way, the largest group first."""
    found: dict[tuple[Outcome, str, str], list[CaseResult]] = {}
    for result in record.results:
        if result.verdict.outcome.undecided:
            verdict = result.verdict
            alike = re.sub(r"`[^`]*`", "`...`", verdict.reason)
            found.setdefault((verdict.outcome, alike, verdict.remedy), []).append(result)
    made = [_group(*key, results) for key, results in found.items()]
    return sorted(made, key=lambda g: -len(g.cases))


def _group(outcome: Outcome, alike: str, remedy: str, results: Sequence[CaseResult]) -> Group:
    reasons = {r.verdict.reason for r in results}
    return Group(
        outcome=outcome,
        reason=reasons.pop() if len(reasons) == 1 else alike,
        remedy=remedy,
        cases=tuple(r.case.id for r in results),
    )


def speeds(record: RunRecord) -> list[Speed]:
    """Decoding speed by cell, of the results that generated anything."""
    tokens: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for result in record.results:
        if result.generated_tokens and result.decode_s > 0:
            scope = result.case.scope
            tokens[scope] += result.generated_tokens
            seconds[scope] = seconds.get(scope, 0.0) + result.decode_s
    return [Speed(scope=s, tokens=tokens[s], seconds=seconds[s]) for s in seconds]


def slowest(record: RunRecord, most: int = 5) -> list[CaseResult]:
    """The cases that took longest, without those that took no time."""
    took = [r for r in record.results if r.seconds > 0]
    return sorted(took, key=lambda r: -r.seconds)[:most]


def next_steps(record: RunRecord, score: Score) -> list[str]:
    """What to do now, most urgent first: sentences with the command that does it."""
    command = f"pytest --playbook {one_line(record.run.playbook)}"
    steps = [
        *_after_interruption(record, command),
        *_after_failures(record, command),
        *_after_groups(record),
        *_after_selection(record, command),
        *_after_provenance(record),
        *_after_empty_categories(score),
    ]
    return steps or [f"Nothing is left to do: {score.status}."]


def _after_interruption(record: RunRecord, command: str) -> list[str]:
    again = f"The run was cut off; run it again: {command}"
    return [again] if record.run.interrupted else []


def _after_failures(record: RunRecord, command: str) -> list[str]:
    failed = failures(record)
    if not failed:
        return []
    first = failed[0]
    if first.case.is_gateway:
        where = f"{first.case.gate} on {one_line(first.case.scope)}"
        again = f"{command} -k '{one_line(first.case.scope)} and {one_line(first.case.name)}'"
        return [f"Start with gateway {where}, which voids the score: {again}"]
    return [f"Look at the {count(len(failed), 'failed case')} again: {command} --lf"]


def _after_groups(record: RunRecord, most: int = 3) -> list[str]:
    """The remedies that help most cases."""
    helped: Counter[str] = Counter()
    for group in groups(record):
        if group.remedy:
            helped[group.remedy] += len(group.cases)
    return [
        f"Decide {count(number, 'more case')}: {shortened(remedy, 200)}"
        for remedy, number in helped.most_common(most)
    ]


def _after_selection(record: RunRecord, command: str) -> list[str]:
    number = len(not_run(record))
    if not number or record.run.interrupted:  # running it again does that too
        return []
    return [f"Run the {count(number, 'case')} that were left out: {command}"]


def _after_provenance(record: RunRecord) -> list[str]:
    file = one_line(record.run.playbook)
    return [
        f"Pin {a.key}: write `sha256: {a.sha256}` to it under model.artifacts in {file}"
        for a in record.artifacts
        if not a.pinned
    ]


def _after_empty_categories(score: Score) -> list[str]:
    empty = [c.name for c in score.categories if not c.planned]
    return [f"Plan cases in {', '.join(empty)}: they earn no points yet."] if empty else []
