"""Logits parity: on the same ids, at every position, the candidate says what the reference says.

The measure that decides is KL(reference || candidate) over the full vocabulary: a cosine of 0.9999
is blind to two swapped tokens. Limits that the playbook does not give are the budget's of the
quantisation, and none lies below what the reference differs by from itself.

noise@Q        what both sides differ by from themselves; Q is the candidate's quantisation
prompt N@Q     logits of a prompt
length N@Q     logits of the first N tokens of a long text
attribution@Q  asked where the logits differ: both weights on the ids of both tokenizers
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, MinLen

from pytest_modelqa.checks.parity.bounds import (
    Held,
    each_at_least,
    each_within,
    mean_at_least,
    mean_within,
    share_at_least,
    tail_within,
)
from pytest_modelqa.checks.parity.budget import Budget, budget_for, require_budget, unfit_for
from pytest_modelqa.checks.parity.positions import equal_top1, every, fresh
from pytest_modelqa.checks.parity.texts import long_text
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.logits import (
    Attribute,
    Attributed,
    CompareLogits,
    LogitsCompared,
    MeasureNoise,
    NoiseMeasured,
)
from pytest_modelqa.core.model import Artifact, Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import (
    Outcome,
    Verdict,
    falsified,
    inconclusive,
    verdict_of_failure,
)
from pytest_modelqa.stats.clustered import mean_of

GATE = "F-PARITY-LOGITS"

_BLOCK = 32
"""Positions of one text that count as one observation of its error (non-overlapping batch means,
E. Carlstein, Annals of Statistics 14, 1986, 1171-1179)."""

_EACH = ("kl", "js", "cosine", "nmse", "max_abs", "topk", "reference_top1", "candidate_top1")
"""What has one value a position, whatever happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitsParity:
    """Logits of `prompts`, and of a long text at `lengths` (tokens). `max_kl` and so on in nats.

    Limits on means hold for the interval, not only for the mean; limits on a largest or smallest
    value hold at every position that was compared. `budget` is a file of `modelqa calibrate`.
    """

    name: ClassVar[str] = "logits-parity"
    gate: ClassVar[str] = GATE
    category: ClassVar[Category] = Category.COMP

    prompts: Annotated[tuple[str, ...], MinLen(1)]
    lengths: tuple[Annotated[int, Ge(1)], ...] = ()
    top_k: Annotated[int, Ge(1)] = 10
    min_cosine: Annotated[float, Ge(0), Le(1)] | None = None
    max_kl: Annotated[float, Gt(0)] | None = None
    max_kl_p99: Annotated[float, Gt(0)] | None = None
    max_kl_max: Annotated[float, Gt(0)] | None = None
    min_top1: Annotated[float, Ge(0), Le(1)] | None = None
    min_topk: Annotated[float, Ge(0), Le(1)] | None = None
    max_nmse: Annotated[float, Gt(0)] | None = None
    max_difference: Annotated[float, Gt(0)] | None = None
    budget: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        require_budget(self.budget)

    def unfit_for(self, reference: Artifact) -> str:
        """Why the budget is not of this reference."""
        return unfit_for(self.budget, reference)

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """The noise of both sides, every prompt as the modality puts it, and the long text."""
        at = cell.artifact.quantization
        chat = cell.modality == "chat"
        asked: dict[str, Request] = {
            f"noise@{at}": MeasureNoise(text=self.prompts[0], chat=chat),
        }
        for number, text in enumerate(self.prompts):
            asked[f"prompt {number}@{at}"] = CompareLogits(text=text, chat=chat, top_k=self.top_k)
        text = long_text(max(self.lengths, default=0))
        for length in self.lengths:
            asked[f"length {length}@{at}"] = CompareLogits(
                text=text, length=length, top_k=self.top_k
            )
        return asked

    def follow_up(self, cell: Cell, answers: Mapping[str, Any]) -> Mapping[str, Request]:
        """Where the logits differ: what both weights say on the ids of both tokenizers."""
        name = f"attribution@{cell.artifact.quantization}"
        if name in answers or self.judge(answers).outcome is not Outcome.FALSIFIED:
            return {}
        return {name: Attribute(text=" ".join(self.prompts))}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Hard facts first: NaN, vocabularies, missing positions; then every limit."""
        failures = [a for name, a in answers.items() if isinstance(a, Failure) if not _asked(name)]
        if broken := [f for f in failures if f.cause != "unavailable"]:
            return verdict_of_failure(broken[0])
        seen = {n.partition("@")[0]: a for n, a in answers.items() if isinstance(a, LogitsCompared)}
        positions = sum(len(a.ids) for a in seen.values())
        if problem := next(chain.from_iterable(_problems(n, a) for n, a in seen.items()), ""):
            return falsified(problem, tested=max(1, positions), detail=_attribution(answers))
        if failures:
            return verdict_of_failure(failures[0])
        if not positions:
            return inconclusive("no position was compared", remedy="give parity.prompts")
        return self._held(seen, answers, positions)

    def _held(
        self, seen: Mapping[str, LogitsCompared], answers: Mapping[str, Any], positions: int
    ) -> Verdict:
        """All limits, each on its own; the worst decides."""
        floor = _floor(answers)
        if floor is None:
            return inconclusive("the reference's own noise could not be measured")
        own, budget = self._limits(_quantization(answers))
        held = [*_measured(own, floor, seen)]
        # A percentile of the budget that few positions cannot decide is no promise of the playbook.
        if self.max_kl_p99 is None:
            held = [h for h in held if not _undecided_tail(h)]
        if not held:
            return inconclusive(
                f"{_summary(seen)}; nothing bounds it: {budget.source} is not known",
                tested=positions,
                remedy="give parity.max_kl, or a budget file: modelqa calibrate PLAYBOOK",
            )
        verdict = _verdict(held, f"{_summary(seen)} ({budget.source})", positions)
        return replace(verdict, detail="\n".join((verdict.detail, _attribution(answers))).strip())

    def _limits(self, quantization: str) -> tuple[LogitsParity, Budget]:
        """This check with the budget's limits where the playbook gives none."""
        budget = budget_for(quantization, self.budget)
        names = ("max_kl", "max_kl_p99", "max_kl_max", "min_top1")
        given = {n: v for n in names if (v := getattr(self, n)) is not None}
        filled = {n: given.get(n, getattr(budget.limits, n)) for n in names}
        return replace(self, **filled), budget


def _asked(name: str) -> bool:
    """What only explains a verdict may fail."""
    return name.startswith("attribution@")


def _quantization(answers: Mapping[str, Any]) -> str:
    return next(iter(answers)).rpartition("@")[2]


def _problems(name: str, seen: LogitsCompared) -> Iterator[str]:
    """What no limit can allow."""
    sizes = f"{seen.reference_vocabulary} ids in the reference, {seen.candidate_vocabulary} in the"
    if seen.unknown:
        yield f"{name}: id {seen.unknown[0]} is outside a vocabulary: {sizes} candidate"
    if not seen.extra_is_padding:
        yield f"{sizes} candidate: the {seen.extra} alone has {seen.extra_example}"
    for side in ("candidate", "reference"):
        if count := getattr(seen, f"{side}_nonfinite"):
            yield f"{name}: {count:,} of the {side}'s logits are NaN or Inf"
    if seen.extra_chosen:
        yield f"{name}: padding is the best id at {seen.extra_chosen} positions ({sizes} candidate)"
    yield from (f"{name}: {problem}" for problem in _gaps(seen))


def _gaps(seen: LogitsCompared) -> Iterator[str]:
    """Values that are missing, or are no numbers."""
    for metric in _EACH:
        values = getattr(seen, metric)
        if len(values) != len(seen.ids):
            yield f"{len(values)} values of {metric} for {len(seen.ids)} ids"
        elif not all(map(math.isfinite, values)):
            yield f"{metric} is no number: a row of logits prefers nothing"


def _floor(answers: Mapping[str, Any]) -> Mapping[str, float] | None:
    """What the reference differs by from itself; None where that is no number."""
    ways = [v for a in answers.values() if isinstance(a, NoiseMeasured) for v in a.reference]
    values = {
        "kl_mean": max((v.kl_mean for v in ways), default=math.nan),
        "kl_max": max((v.kl_max for v in ways), default=math.nan),
        "max_abs": max((v.max_abs for v in ways), default=math.nan),
    }
    each = [x for v in ways for x in (v.kl_mean, v.kl_max, v.max_abs)]
    return values if each and all(map(math.isfinite, each)) else None


def _measured(
    limits: LogitsParity, floor: Mapping[str, float], seen: Mapping[str, LogitsCompared]
) -> Iterator[Held]:
    """Every limit against what was measured."""
    prompts = {n: a for n, a in seen.items() if n.startswith("prompt")}
    if limits.max_kl is not None:
        limit = max(limits.max_kl, floor["kl_mean"])
        yield mean_within("mean KL", every(prompts, "kl"), limit)
        for name, blocks in _lengths(seen):
            yield mean_within(f"mean KL at {name}", blocks, limit)
    if limits.max_kl_p99 is not None:
        yield tail_within(_P99, fresh(seen, "kl"), max(limits.max_kl_p99, floor["kl_max"]))
    if limits.max_kl_max is not None:
        yield each_within("KL", fresh(seen, "kl"), max(limits.max_kl_max, floor["kl_max"]))
    if limits.min_top1 is not None:
        yield share_at_least("equal top-1", equal_top1(prompts), limits.min_top1)
    yield from _other(limits, floor, seen, prompts)


def _other(
    limits: LogitsParity,
    floor: Mapping[str, float],
    seen: Mapping[str, LogitsCompared],
    prompts: Mapping[str, LogitsCompared],
) -> Iterator[Held]:
    """What gates only where the playbook says so."""
    if limits.min_topk is not None:
        yield mean_at_least(f"top-{limits.top_k} overlap", every(prompts, "topk"), limits.min_topk)
    if limits.min_cosine is not None:
        yield each_at_least("centred cosine", fresh(seen, "cosine"), limits.min_cosine)
    if limits.max_nmse is not None:
        yield each_within("NMSE", fresh(seen, "nmse"), limits.max_nmse)
    if limits.max_difference is not None:
        limit = max(limits.max_difference, floor["max_abs"])
        yield each_within("difference of a logit", fresh(seen, "max_abs"), limit)


_P99 = "99th percentile of KL"


def _undecided_tail(held: Held) -> bool:
    return held.outcome is Outcome.INCONCLUSIVE and held.text.startswith(_P99)


def _lengths(seen: Mapping[str, LogitsCompared]) -> Iterator[tuple[str, list[Sequence[float]]]]:
    """The KL of what each length adds to the shorter ones, in blocks.

    Its own mean: what breaks beyond a length would drown in the mean of all that came before.
    """
    done = 0
    long = {int(n.split()[1]): a for n, a in seen.items() if n.startswith("length")}
    for length in sorted(long):
        added = long[length].kl[done:]
        blocks: list[Sequence[float]] = [
            added[i : i + _BLOCK] for i in range(0, len(added), _BLOCK)
        ]
        yield f"tokens {done} to {length}", blocks
        done = length


def _verdict(held: Sequence[Held], what: str, positions: int) -> Verdict:
    """The worst of what was held decides, and is told first."""
    for outcome in (Outcome.FALSIFIED, Outcome.INCONCLUSIVE):
        if hit := [h.text for h in held if h.outcome is outcome]:
            rest = [h.text for h in held if h.outcome is not outcome]
            return Verdict(
                outcome=outcome,
                reason=f"{'; '.join(hit)}; {what}",
                tested=positions,
                detail="\n".join(rest),
                remedy="more parity.prompts" if outcome is Outcome.INCONCLUSIVE else "",
            )
    return Verdict(
        outcome=Outcome.CORROBORATED,
        reason=f"{'; '.join(h.text for h in held)}; {what}",
        tested=positions,
    )


def _summary(seen: Mapping[str, LogitsCompared]) -> str:
    """What was measured, whether it is bounded or not."""
    kl, equal = fresh(seen, "kl"), equal_top1(seen)
    sizes = {(a.reference_vocabulary, a.candidate_vocabulary) for a in seen.values() if a.extra}
    padded = "".join(
        f", {a} and {b} ids of which {min(a, b)} are compared and the rest is padding"
        for a, b in sizes
    )
    cosine = min(chain.from_iterable(fresh(seen, "cosine")))
    return (
        f"{sum(map(len, kl))} positions of {len(seen)} texts: mean KL {mean_of(kl).mean:.3g}, "
        f"largest {max(chain.from_iterable(kl)):.3g} nats, top-1 {mean_of(equal).mean:.1%}, "
        f"smallest cosine {cosine:.5f}{padded}"
    )


def _attribution(answers: Mapping[str, Any]) -> str:
    """The four combinations of weights and tokenizer, where they were asked for."""
    found = [a for a in answers.values() if isinstance(a, Attributed)]
    return "\n".join(
        f"{c.weights} weights on the {c.tokenizer}'s ids: loss {c.loss:.4g} nats an id, "
        f"last KL {'different vocabularies' if c.kl is None else format(c.kl, '.3g')}"
        for a in found
        for c in a.cells
    )
