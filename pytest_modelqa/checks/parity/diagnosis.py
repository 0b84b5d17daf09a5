"""Is it still the same model, and if not, why: all parts of parity together.

Static evidence leads: what two files say and hold can be compared exactly, and names its cause.
What is computed confirms it, or is all there is where the fault lies in an engine. Unknown is
allowed, a guess is not: below `causes.LIKELY` no cause is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_modelqa.checks.parity.causes import LIKELY, UNKNOWN, Sign, Suspect, suspects
from pytest_modelqa.checks.parity.signs import (
    configuration_signs,
    template_signs,
    tokenizer_signs,
    trace_signs,
)
from pytest_modelqa.checks.parity.storage import storage_told
from pytest_modelqa.checks.parity.tensor_signs import tensor_signs
from pytest_modelqa.checks.parity.tokenizer import evidence_of
from pytest_modelqa.checks.together import Answers, Together, answers_of, joined
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import Category, Check
from pytest_modelqa.core.comparison.templates import TemplatesCompared
from pytest_modelqa.core.comparison.tensors import ConfigurationCompared, TensorsCompared
from pytest_modelqa.core.comparison.tokens import VocabulariesCompared
from pytest_modelqa.core.comparison.trace import TraceCompared
from pytest_modelqa.core.verdict import Outcome, Verdict

GATE = "F-PARITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis(Together):
    """Corroborated where all parts are; falsified with the cause where one is not."""

    name: str = "parity"
    gate: str = GATE
    category: Category = Category.COMP

    def judge(self, answers: Answers) -> Verdict:
        """The worst verdict of the parts; of a model that differs, the cause."""
        verdicts = self.verdicts(answers)
        if any(v.outcome is Outcome.FALSIFIED for v in verdicts.values()):
            return _diagnosed(self.of, answers, verdicts)
        verdict = joined(verdicts)
        if verdict.outcome is not Outcome.CORROBORATED:
            return verdict
        return replace(verdict, reason=f"the same model: {verdict.reason}{_storage(answers)}")


def _diagnosed(
    parts: Sequence[Check],
    answers: Answers,
    verdicts: Mapping[str, Verdict],
) -> Verdict:
    broken = {n: v for n, v in verdicts.items() if v.outcome.failed}
    found = suspects(_signs(parts, answers, verdicts))
    named = [s for s in found if s.confidence >= LIKELY]
    first = ", ".join(broken)
    if named:
        reason = f"cause: {_told(named[0])}; falsified: {first}"
    else:
        reason = f"cause: {UNKNOWN}; falsified: {first}: {next(iter(broken.values())).reason}"
    return Verdict(
        outcome=Outcome.FALSIFIED,
        reason=reason,
        tested=max(1, sum(v.tested for v in verdicts.values())),
        detail="\n".join(_detail(found, broken)),
        remedy=named[0].cause.advice if named else "",
    )


def _signs(
    parts: Sequence[Check], answers: Mapping[str, Any], verdicts: Mapping[str, Verdict]
) -> Iterator[Sign]:
    """What falsified parts saw; storage speaks even where its own part was not asked to judge."""
    for part in parts:
        if verdicts[part.name].outcome.failed:
            own = answers_of(part, answers)
            yield from _signs_of(own, verdicts[part.name].reason)
    if not any(verdicts[p.name].outcome.failed for p in parts if p.name in _NAMED):
        yield from _quantisation(answers, verdicts)


_NAMED = frozenset({
    "tokenizer-parity", "template-parity", "configuration-parity", "tensor-parity", "trace-parity",
})  # fmt: skip
"""Parts whose verdict names a cause; logits and texts say that there is one."""


def _signs_of(answers: Mapping[str, Any], told: str) -> Iterator[Sign]:
    if isinstance(answers.get("vocabulary"), VocabulariesCompared) and "plain" in answers:
        if not any(isinstance(a, Failure) for a in answers.values()):
            yield from tokenizer_signs(evidence_of(answers), told)
        return
    for answer in answers.values():
        yield from _read(answer, told)


def _read(answer: Any, told: str) -> Iterable[Sign]:
    if isinstance(answer, TemplatesCompared):
        return template_signs(answer, told)
    readers: Mapping[type, Callable[[Any], Iterable[Sign]]] = {
        ConfigurationCompared: configuration_signs,
        TensorsCompared: tensor_signs,
        TraceCompared: trace_signs,
    }
    reader = readers.get(type(answer))
    return reader(answer) if reader else ()


def _quantisation(answers: Mapping[str, Any], verdicts: Mapping[str, Verdict]) -> Iterator[Sign]:
    """Files agree as far as their types allow, and what they compute does not: it is the types."""
    stored = next((a for a in answers.values() if isinstance(a, TensorsCompared)), None)
    if stored is None or not any(t.relation == "quantised" for t in stored.tensors):
        return
    if (told := storage_told(stored)) and _tensors_sound(stored):
        first = next(v.reason for v in verdicts.values() if v.outcome.failed)
        yield Sign(
            cause="quantisation noise", place="all layers", evidence=f"{first}; {told}", weight=0.9
        )


def _tensors_sound(stored: TensorsCompared) -> bool:
    return all(t.sound for t in stored.tensors) and not stored.unmapped_candidate


def _storage(answers: Mapping[str, Any]) -> str:
    stored = next((a for a in answers.values() if isinstance(a, TensorsCompared)), None)
    told = storage_told(stored) if stored else ""
    return f"; stored as {told}" if told else ""


def _told(suspect: Suspect) -> str:
    at = f" at {suspect.where}" if suspect.where else ""
    known = f" [{', '.join(suspect.cause.known_as)}]" if suspect.cause.known_as else ""
    return (
        f"{suspect.cause.name} ({suspect.cause.kind}, {suspect.how_sure}){at}{known}: "
        f"{suspect.evidence[0]}"
    )


def _detail(found: Sequence[Suspect], broken: Mapping[str, Verdict]) -> Iterator[str]:
    for suspect in found:
        yield f"{_told(suspect)} (confidence {suspect.confidence:.2f})"
        yield from (f"    {line}" for line in suspect.evidence[1:20])
    for name, verdict in broken.items():
        yield f"{name}: {verdict.reason}"
