"""Why a decision is BLOCKED, as far as the evidence tells: hypotheses, each with what it rests on.

Read are the stages that canaries were lost at, the pairs with a baseline, answers that are missing
or undecided, the parity of the file that ships, the checks of its training, and what its folder
tells. Nothing is concluded from what is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.verdict import Outcome, Part
from pytest_modelqa.reports.shipping.beside import Told
from pytest_modelqa.reports.shipping.canaries import trails_of
from pytest_modelqa.reports.text import count, shortened

Kind = Literal["run", "quantisation", "conversion", "training", "answers"]

SIGNIFICANT = 0.05
"""Of McNemar's p-value: below it a loss against the baseline is named as one."""

_LONGEST = 220
_MOST_PARITY = 4
_COARSE = ("q2", "q3", "q4", "q5", "q6", "q8", "iq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What may have gone wrong, and the evidence; `speaks` is false where that says nothing, or
    speaks against it.
    """

    kind: Kind
    text: str
    speaks: bool = True


def causes(record: RunRecord, told: Sequence[Told] = ()) -> list[Cause]:
    """The most direct evidence first; `told` is what the artifacts' folders say."""
    return [
        *_of_the_run(record),
        *_of_stages(record),
        *_of_pairs(record),
        *_of_parity(record),
        *_of_training(record),
        *(Cause(kind="training", text=said.text, speaks=said.is_bad) for said in told),
        *_of_answers(record),
    ]


def is_quantised(key: str) -> bool:
    """Whether an artifact's key names a quantisation: gguf-q4_k_m."""
    return any(part in key.lower() for part in (f"-{name}" for name in _COARSE))


def _harnesses(record: RunRecord) -> list[CaseResult]:
    return [r for r in record.results if r.case.role in ("ship", "quality")]


def _name(result: CaseResult) -> str:
    return result.case.name.removeprefix("ship-")


def _of_the_run(record: RunRecord) -> Iterator[Cause]:
    """What never answered says nothing of the model."""
    for result in record.results:
        outcome = result.verdict.outcome
        if result.case.role and outcome in (Outcome.CRASHED, Outcome.TIMEOUT, Outcome.UNAVAILABLE):
            reason = shortened(result.verdict.reason, _LONGEST)
            yield Cause(kind="run", text=f"{_name(result)} {outcome}: {reason}")
    if record.incidents:
        yield Cause(kind="run", text=f"{count(len(record.incidents), 'worker')} died on the way.")


def _of_stages(record: RunRecord) -> Iterator[Cause]:
    trails = trails_of(record)
    lost = Counter(t.lost_at for t in trails if t.lost_at)
    for stage, number in lost.most_common():
        kind: Kind = "quantisation" if is_quantised(stage) else "conversion"
        what = "quantisation is too coarse" if is_quantised(stage) else "that stage changes answers"
        yield Cause(
            kind=kind,
            text=f"{count(number, 'canary task')} passed before {stage} and failed there: {what}.",
        )
    never = sum(bool(t.stages) and not any(s.passed for s in t.stages) for t in trails)
    if never and any(len(t.stages) > 1 for t in trails):
        yield Cause(
            kind="training",
            text=f"{count(never, 'canary task')} failed at every stage: it was not learned.",
        )


def _of_pairs(record: RunRecord) -> Iterator[Cause]:
    for result in _harnesses(record):
        pair = result.verdict.gauge.paired if result.verdict.gauge else None
        if pair is None:
            continue
        if pair.p_value < SIGNIFICANT and pair.lost > pair.won:
            yield Cause(
                kind="quantisation",
                text=f"{_name(result)}: {pair.lost} prompts pass with the baseline alone and "
                f"{pair.won} with what ships alone (McNemar p = {pair.p_value:.2g}).",
            )
        elif pair.neither > pair.lost:
            yield Cause(
                kind="training",
                text=f"{_name(result)}: {pair.neither} prompts fail with the baseline too, "
                "so that the loss is older than the last stage.",
            )


def _of_parity(record: RunRecord) -> Iterator[Cause]:
    """What the quantised file's logits are apart by, where the run compared them."""
    shipped = record.run.ship.artifact if record.run.ship else ""
    found = [
        r
        for r in record.results
        if r.case.gate in ("F-PARITY-LOGITS", "F-PARITY-GREEDY")
        and r.case.scope.startswith(shipped)
        and r.verdict.outcome in (Outcome.CORROBORATED, Outcome.FALSIFIED)
    ]
    for result in found[:_MOST_PARITY]:
        word = "differs" if result.verdict.outcome.failed else "is within its limits"
        reason = shortened(result.verdict.reason, _LONGEST)
        kind: Kind = "quantisation" if is_quantised(shipped) else "conversion"
        if result.verdict.outcome.failed or result.case.gate == "F-PARITY-LOGITS":
            text = f"Parity of {shipped} with its reference {word}: {reason}"
            yield Cause(kind=kind, text=text, speaks=result.verdict.outcome.failed)


def _of_training(record: RunRecord) -> Iterator[Cause]:
    for result in record.results:
        verdict = result.verdict
        if result.case.gate.startswith("F-TRAINING") and not _held(result):
            reason = shortened(verdict.reason, _LONGEST)
            yield Cause(kind="training", text=f"{result.case.name} {verdict.outcome}: {reason}")


def _held(result: CaseResult) -> bool:
    return result.verdict.outcome is Outcome.CORROBORATED


def _of_answers(record: RunRecord) -> Iterator[Cause]:
    for result in _harnesses(record):
        undecided = sum(_is_unjudged(p) for p in result.verdict.parts)
        if undecided:
            yield Cause(
                kind="answers",
                text=f"{_name(result)}: {count(undecided, 'answer')} of "
                f"{len(result.verdict.parts)} were cut off or could not be judged; "
                "they count as not passed.",
            )


def _is_unjudged(part: Part) -> bool:
    return part.outcome is Outcome.INCONCLUSIVE or part.reason.startswith("cut off")
