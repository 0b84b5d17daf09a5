"""The ship decision on a terminal: a table of harnesses, the canaries, the word and its reasons."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.score import Judged
from pytest_modelqa.core.shipping import CanaryTrail, Gauge, HarnessLine, ShipDecision
from pytest_modelqa.reports.page import Page
from pytest_modelqa.reports.shipping.canaries import trails_of
from pytest_modelqa.reports.shipping.final import gauges_of
from pytest_modelqa.reports.shipping.shares import percent
from pytest_modelqa.reports.shipping.speed import engine_use
from pytest_modelqa.reports.text import one_line, shortened
from pytest_modelqa.stats.gates import CONFIDENCE

REASON_CHARACTERS = 300
MOST_TRAILS = 20

_HEADER = ("harness", "passed", "value", "least", "interval", "bound", "by", "verdict")


def ship_section(page: Page, judged: Judged) -> None:
    """Nothing where the playbook asks for no decision."""
    ship, record = judged.ship, judged.record
    if ship is None:
        return
    page.heading("Ship gates, in percent: 95 % interval of the value, exact one-sided lower bound")
    page.line(_subject(record))
    gauges = gauges_of(record)
    rows = [_row(line, gauges.get(line.case_id)) for line in ship.harnesses]
    if rows:
        page.columns(rows, _HEADER, right=(1, 2, 3, 4, 5))
    whole = {r.case.id for r in record.results if not r.verdict.is_incomplete}
    for name, gauge in gauges.items():
        for text in _notes(name, gauge, is_whole=name in whole):
            page.line(text)
    _canaries(page, record, ship)
    page.line(engine_use(record).sentence)
    _word(page, ship)


def _subject(record: RunRecord) -> str:
    policy = record.run.ship
    chosen = f", model {policy.candidate}" if policy and policy.candidate else ""
    return (
        f"What ships: {policy.artifact if policy else '-'} of {one_line(record.run.model)}{chosen}."
    )


def verdict_word(line: HarnessLine) -> str:
    """`cleared`, `BLOCKED`, `unclear`; a quality gate under its threshold is `below`."""
    if line.passed:
        return "cleared"
    if line.state == "blocked":
        return "BLOCKED" if line.kind == "ship" else "below"
    return "unclear"


def _row(line: HarnessLine, gauge: Gauge | None) -> tuple[str, ...]:
    name = one_line(line.name) + (" (quality)" if line.kind == "quality" else "")
    least, word = _number(line.threshold), verdict_word(line)
    if gauge is None:
        return name, "-", "-", least, "-", "-", "-", word
    return (
        name,
        f"{gauge.passed}/{gauge.n}",
        f"{'F1 ' if gauge.demand.metric == 'f1' else ''}{_number(gauge.value)}",
        least,
        f"{gauge.low * 100:.1f}-{gauge.high * 100:.1f}",
        _number(gauge.lower),
        "value" if gauge.demand.confidence is None else f"bound {gauge.demand.confidence:g}",
        word,
    )


def _number(share: float) -> str:
    return percent(share).removesuffix(" %")


def _notes(case_id: str, gauge: Gauge, *, is_whole: bool) -> Iterator[str]:
    """Where answers are missing, more of them are no matter of statistics."""
    name = one_line(case_id.rpartition("::")[2].removeprefix("ship-"))
    if gauge.state == "inconclusive" and is_whole:
        yield (
            f"{name}: {gauge.needed} answers would decide it if the rate stays what it is."
            if gauge.needed
            else f"{name}: no number of answers would decide it at this rate."
        )
    if gauge.paired is not None:
        p, level = gauge.paired, gauge.demand.confidence or CONFIDENCE
        yield (
            f"{name}, against the baseline: {p.lost} lost, {p.won} won, of "
            f"{p.both + p.lost + p.won + p.neither} prompts; McNemar p = {p.p_value:.3g}; "
            f"the difference is at least {p.lower * 100:+.1f} points with {level * 100:g} %."
        )


def _canaries(page: Page, record: RunRecord, ship: ShipDecision) -> None:
    if not ship.canaries:
        page.line("No canary is planned.")
        return
    page.line(f"Canaries: {ship.canaries_passed} of {ship.canaries} passed.")
    bad = [t for t in trails_of(record) if t.lost_at or not (t.stages and t.stages[-1].passed)]
    for trail in bad[:MOST_TRAILS]:
        for text in _trail(trail):
            page.line(text, indent=4)
    if len(bad) > MOST_TRAILS:
        page.line(f"and {len(bad) - MOST_TRAILS} more, see canary_report.json", indent=4)


def _trail(trail: CanaryTrail) -> Iterator[str]:
    words = {True: "pass", False: "FAIL", None: "no answer"}
    stages = ", ".join(f"{s.stage} {words[s.passed]}" for s in trail.stages)
    lost = f"; lost at {trail.lost_at}" if trail.lost_at else ""
    mark = " (regression)" if trail.regression else ""
    yield f"{one_line(trail.name)}{mark}: {stages}{lost}"
    shown = [trail.stages[0], trail.stages[-1]] if len(trail.stages) > 1 else trail.stages
    for stage in shown:
        yield f"  {stage.stage}: {shortened(stage.answer or stage.reason, 120)}"


def _word(page: Page, ship: ShipDecision) -> None:
    overall = f"overall {percent(ship.overall)} of at least {percent(ship.min_overall)}"
    style = "bold green" if ship.cleared else "bold red"
    page.whole((f"Decision: {ship.word}", style), (f", {overall}", ""))
    for reason in ship.reasons:
        page.line(shortened(reason, REASON_CHARACTERS), "red", mark="- ")
