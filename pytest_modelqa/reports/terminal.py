"""The section at the end of a run, for a person: what happened, what it is worth, what to do next.

Plain text is pure ASCII without trailing space; case ids, commands and paths are never wrapped, so
that they can be copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor
from pathlib import Path

from pytest_modelqa.core.result import ArtifactInfo, RunRecord
from pytest_modelqa.core.score import CategoryPoints, Judged, Score
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.reports.page import Page
from pytest_modelqa.reports.shipping.console import ship_section
from pytest_modelqa.reports.summary import (
    NOT_RUN,
    failures,
    groups,
    next_steps,
    outcome_counts,
    slowest,
    speeds,
)
from pytest_modelqa.reports.text import count, one_line, shortened
from pytest_modelqa.stats import wilson

MOST_FAILURES = 20
MOST_GROUPS = 8
REASON_CHARACTERS = 300
HASH_DIGITS = 12

_SHORT = {
    Outcome.CORROBORATED: "ok",
    Outcome.FALSIFIED: "FALSIFIED",
    Outcome.CRASHED: "CRASHED",
    Outcome.TIMEOUT: "TIMEOUT",
    Outcome.INCONCLUSIVE: "unclear",
    Outcome.UNAVAILABLE: "unavail.",
    None: NOT_RUN,
}


def render(
    judged: Sequence[Judged],
    paths: Mapping[str, Path],
    *,
    width: int,
    color: bool,
) -> str:
    """The section as text, without a newline at its end. `paths` names written reports by kind."""
    page = Page(width, color)
    for each in judged:
        for section in _SECTIONS:
            section(page, each.record, each.score)
        ship_section(page, each)
        _next(page, each)
    if paths:
        page.heading("Reports")
        page.columns([(kind, str(path)) for kind, path in paths.items()])
    return page.text()


def _head(page: Page, record: RunRecord, _score: Score) -> None:
    run = record.run
    model = f"{run.model} @ {run.revision}" if run.revision else run.model
    page.heading(one_line(f"{run.playbook}: {model}"))
    facts = [
        f"run {run.id}",
        f"mode {' and '.join(run.modes)}",
        f"seed {run.seed}",
        count(len(record.planned), "case"),
        count(record.answers, "answer"),
        *(["interrupted"] if run.interrupted else []),
        *(["strict"] if run.strict else []),
    ]
    page.line(", ".join(facts))


def _incidents(page: Page, record: RunRecord, _score: Score) -> None:
    if record.incidents:
        page.heading("Incidents")
        page.line("Workers that died and whose requests were answered when asked again:")
        for text in record.incidents:
            page.line(shortened(text, REASON_CHARACTERS), indent=2)


def _gateways(page: Page, _record: RunRecord, score: Score) -> None:
    if not score.gateways:
        return
    gates = sorted({g.gate for g in score.gateways})
    scopes = dict.fromkeys(g.scope for g in score.gateways)
    shown = {(g.scope, g.gate): _SHORT[g.outcome] for g in score.gateways}
    page.heading("Gateways")
    rows = [(scope, *(shown.get((scope, gate), "-") for gate in gates)) for scope in scopes]
    page.columns(rows, ("cell", *gates))


def _outcomes(page: Page, record: RunRecord, score: Score) -> None:
    counts = outcome_counts(record)
    page.heading("Outcomes")
    page.line(", ".join(f"{number} {name}" for name, number in counts.items() if number))
    if score.decided:
        passed = counts[Outcome.CORROBORATED]
        rate = _percent(passed / score.decided)
        low, high = wilson(passed, score.decided)
        page.line(
            f"{passed} of {score.decided} decided cases passed: {rate} % "
            f"(95 % interval {_percent(low)} to {_percent(high, ceil)} %); "
            f"{score.decided} of {score.planned} planned cases were decided"
        )


def _percent(share: float, rounded: Callable[[float], int] = floor) -> str:
    """Tenths of a percent, rounded down unless said otherwise: 9999 of 10000 are not 100 %."""
    return f"{rounded(share * 1000) / 10:g}"


def _failed(page: Page, record: RunRecord, _score: Score) -> None:
    failed = failures(record)
    if not failed:
        return
    page.heading("Failed")
    for result in failed[:MOST_FAILURES]:
        short = f"{_SHORT[result.verdict.outcome]:<10}"
        page.whole((short, "bold red"), (one_line(result.case.id), ""))
        page.line(shortened(result.verdict.reason, REASON_CHARACTERS), indent=12)
        if result.verdict.remedy:
            page.whole((f"try: {one_line(result.verdict.remedy)}", "cyan"), indent=12)
    if len(failed) > MOST_FAILURES:
        page.line(f"and {len(failed) - MOST_FAILURES} more, see the reports")


def _undecided(page: Page, record: RunRecord, _score: Score) -> None:
    found = groups(record)
    if not found:
        return
    page.heading("Undecided")
    for group in found[:MOST_GROUPS]:
        first = one_line(group.cases[0])
        more = f" and {len(group.cases) - 1} more" if len(group.cases) > 1 else ""
        page.whole((f"{_SHORT[group.outcome]:<10}", "yellow"), (f"{first}{more}", ""))
        page.line(shortened(group.reason, REASON_CHARACTERS), indent=12)
        if group.remedy:
            page.whole((f"try: {one_line(group.remedy)}", "cyan"), indent=12)
    if len(found) > MOST_GROUPS:
        page.line(f"and {len(found) - MOST_GROUPS} more reasons, see the reports")


def _speed(page: Page, record: RunRecord, _score: Score) -> None:
    found = speeds(record)
    if not found:
        return
    page.heading("Speed, generated tokens by seconds of decoding")
    rows = [(s.scope, f"{s.rate:.1f}", str(s.tokens), f"{s.seconds:.2f}") for s in found]
    page.columns(rows, ("cell", "tokens/s", "tokens", "seconds"), right=(1, 2, 3))


def _slowest(page: Page, record: RunRecord, _score: Score) -> None:
    found = slowest(record)
    if found:
        page.heading("Slowest")
        rows = [(f"{r.seconds:.3f} s", one_line(r.case.id)) for r in found]
        page.columns(rows, right=(0,))


def _artifacts(page: Page, record: RunRecord, _score: Score) -> None:
    if record.artifacts:
        page.heading("Artifacts")
        header = ("artifact", "sha256", "MB", "provenance", "source")
        page.columns([_artifact(a) for a in record.artifacts], header, right=(2,))


def _artifact(artifact: ArtifactInfo) -> tuple[str, ...]:
    pinned = "pinned" if artifact.pinned else "NOT PINNED"
    megabytes = f"{artifact.bytes / 1e6:.1f}"
    digits = artifact.sha256[:HASH_DIGITS]
    return artifact.key, digits, megabytes, pinned, one_line(artifact.source)


def _points(page: Page, _record: RunRecord, score: Score) -> None:
    page.heading("Score")
    total = _range(score.low, score.high)
    style = {"Blocked": "bold red", "Production Ready": "bold green"}.get(score.status, "yellow")
    incomplete = " (incomplete)" if score.incomplete else ""
    page.whole(
        (f"MQS {total} of 1000{incomplete}, grade {score.grades}, status ", "bold"),
        (score.status, style),
    )
    header = ("category", "points", "of", "passed", "failed", "undecided", "planned")
    rows = [_category(c) for c in score.categories]
    page.columns(rows, header, right=range(1, len(header)))
    for penalty in score.penalties:
        page.line(f"-{penalty.points} points: {penalty.count} {penalty.outcome}")
    for sentence in score.missing:
        page.line(sentence, "yellow", mark="- ")


def _category(c: CategoryPoints) -> tuple[str, ...]:
    numbers = (c.weight, c.corroborated, c.failed, c.undecided, c.planned)
    return c.name, _range(c.low, c.high), *(str(n) for n in numbers)


def _range(low: float, high: float) -> str:
    """`612.5` or `0..150`: hundredths as they are, so that nothing rounds up to a grade."""
    ends = [f"{points:.2f}".rstrip("0").rstrip(".") for points in (low, high)]
    return ends[0] if low == high else "..".join(ends)


def _next(page: Page, judged: Judged) -> None:
    page.heading("What to do next")
    steps = [*_after_a_decision(judged), *next_steps(judged.record, judged.score)]
    for number, step in enumerate(steps, start=1):
        page.whole((f"{number}. {step}", ""))


def _after_a_decision(judged: Judged) -> list[str]:
    if judged.ship is None or judged.ship.cleared:
        return []
    return ["Do not deploy; likely causes and remedies are in incident.md, beside the reports."]


_SECTIONS: tuple[Callable[[Page, RunRecord, Score], None], ...] = (
    _head,
    _incidents,
    _gateways,
    _outcomes,
    _failed,
    _undecided,
    _speed,
    _slowest,
    _artifacts,
    _points,
)
