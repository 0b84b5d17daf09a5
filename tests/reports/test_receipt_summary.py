"""Aggregates of a receipt against independent computations; NaN in a part is NaN in the whole."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelqa.core.answer import Compared, Failure
from pytest_modelqa.core.comparison.greedy import (
    CompareGreedy,
    Continued,
    GreedyCompared,
    Parting,
)
from pytest_modelqa.core.comparison.logits import CompareLogits, LogitsCompared
from pytest_modelqa.core.comparison.tensors import (
    CompareTensors,
    TensorCompared,
    TensorsCompared,
)
from pytest_modelqa.core.receipt import CheckReceipt, Exchange
from pytest_modelqa.core.request import Comparison
from pytest_modelqa.core.verdict import (
    Verdict,
    corroborated,
    falsified,
    unavailable,
    verdict_of_failure,
)
from pytest_modelqa.core.wire import encode
from pytest_modelqa.reports.receipt_summary import DIAGNOSIS, overall, summary

DIVERGENCES = st.lists(st.floats(0, 50), min_size=1, max_size=40)


def logits(kl: list[float], *, same: int | None = None) -> Exchange:
    """Logits on one text; the first `same` positions have an equal argmax."""
    count = len(kl)
    chosen = tuple(range(count))
    others = tuple(i if same is None or i < same else i + 1 for i in chosen)
    answer = LogitsCompared(
        ids=chosen,
        reference_vocabulary=9,
        candidate_vocabulary=9,
        compared=9,
        top_k=3,
        kl=tuple(kl),
        cosine=tuple(1 - k / 100 for k in kl),
        reference_top1=tuple(-1 if math.isnan(k) else i for i, k in zip(chosen, kl, strict=True)),
        candidate_top1=others,
    )
    return exchange(CompareLogits(text="a"), answer)


def exchange(request: Comparison, answer: Compared) -> Exchange:
    """As evidence has it."""
    return Exchange(
        key="0" * 32, engine={}, request=encode(request), answer=encode(answer), seconds=0.0
    )


@given(st.lists(DIVERGENCES, min_size=1, max_size=4))
def test_aggregates_are_those_of_numpy(texts: list[list[float]]) -> None:
    found = summary([logits(kl) for kl in texts])
    pooled = np.concatenate([np.array(kl) for kl in texts])
    assert found.positions == len(pooled)
    assert found.kl_mean == pytest.approx(pooled.mean())
    assert found.kl_max == pooled.max()
    assert found.top1 == 1
    for prompt, kl in zip(found.prompts, texts, strict=True):
        assert prompt.kl_p99 == np.percentile(kl, 99, method="inverted_cdf")
        assert prompt.cosine_min == pytest.approx(1 - max(kl) / 100)


def test_agreement_is_a_share_of_positions() -> None:
    found = summary([logits([0.0] * 4, same=1), logits([0.0] * 6, same=4)])
    assert [p.top1 for p in found.prompts] == [0.25, pytest.approx(4 / 6)]
    assert found.top1 == pytest.approx(0.5)


@pytest.mark.parametrize("at", range(3))
def test_nan_at_any_position_is_nan_in_every_aggregate(at: int) -> None:
    kl = [0.1, 0.2, 0.3]
    kl[at] = math.nan
    found = summary([logits([0.5]), logits(kl)])
    broken = found.prompts[1]
    for value in (broken.kl_mean, broken.kl_p99, broken.kl_max, broken.top1, broken.cosine_min):
        assert math.isnan(value)
    for value in (found.kl_mean, found.kl_max, found.top1):
        assert math.isnan(value)


def test_an_infinite_divergence_is_no_smaller_in_the_mean() -> None:
    assert summary([logits([0.1, math.inf])]).kl_mean == math.inf


def test_nothing_compared_is_no_number() -> None:
    for found in (summary([]), summary([logits([])])):
        assert found.positions == 0
        assert math.isnan(found.kl_mean)
        assert math.isnan(found.kl_max)
        assert math.isnan(found.top1)


def test_a_greedy_text_says_where_it_parts() -> None:
    side = Continued(ids=(1, 2), text="a b", finish="length", stopped_by=-1, nonfinite_step=-1)
    parting = Parting(
        step=1,
        reference_choice=2,
        candidate_choice=3,
        reference_piece="b",
        candidate_piece="c",
        reference_margin=1.0,
        candidate_margin=1.0,
        delta_u=0.0,
        delta_v=0.0,
    )
    equal = GreedyCompared(prompt_tokens=1, equal_steps=2, reference=side, candidate=side)
    other = replace(equal, equal_steps=1, candidate=replace(side, ids=(1, 3)), parting=parting)
    request = CompareGreedy(text="a", steps=2)
    found = summary([exchange(request, equal), exchange(request, other)])
    assert [(g.equal_steps, g.parted_at) for g in found.greedy] == [(2, -1), (1, 1)]
    assert found.greedy[1].candidate_ids == (1, 3)


def test_tensors_are_counted_by_relation_with_the_worst_named() -> None:
    tensors = (
        TensorCompared(name="a", relation="same", error=0.0),
        TensorCompared(name="b", relation="noise", error=0.2),
        TensorCompared(name="c", relation="noise", error=0.4),
        TensorCompared(name="d", relation="missing"),
    )
    answer = TensorsCompared(
        candidate_architecture="llama", reference_architecture="llama", verified=True,
        tensors=tensors,
    )  # fmt: skip
    found = {r.relation: r for r in summary([exchange(CompareTensors(), answer)]).tensors}
    assert (found["noise"].tensors, found["noise"].worst, found["noise"].error_max) == (2, "c", 0.4)
    assert found["missing"].worst == "d"
    assert math.isnan(found["missing"].error_max)


def check(verdict: Verdict, name: str = "logits-parity") -> CheckReceipt:
    """A check that concluded this."""
    return CheckReceipt(
        case=f"cell::{name}", name=name, gate="F-X", parameters={}, verdict=verdict, seconds=0.0,
        evidence=(),
    )  # fmt: skip


def test_the_worst_verdict_decides() -> None:
    good, bad, none = corroborated("yes", tested=1), falsified("no"), unavailable("not here")
    crash = verdict_of_failure(Failure(cause="crashed", reason="the worker died"))
    assert overall([check(crash), check(good), check(none)]).sameness == "broken"
    assert overall([check(crash), check(bad)]).sameness == "differs"
    assert overall([check(good), check(good)]).sameness == "same"
    assert overall([check(good), check(none)]).sameness == "undecided"
    assert overall([check(none), check(bad), check(good)]).sameness == "differs"
    assert overall([]).sameness == "undecided"
    made = overall([check(none), check(bad), check(good)])
    assert (made.corroborated, made.failed, made.undecided) == (1, 1, 1)


def test_the_diagnosis_is_named() -> None:
    cause = falsified("layer 12: Q/K permutation")
    assert overall([check(cause, DIAGNOSIS)]).diagnosis == "layer 12: Q/K permutation"
