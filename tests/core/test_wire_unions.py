"""A field that may hold a dataclass or nothing is read back as what it was."""

from __future__ import annotations

import json
import math

import pytest

from pytest_modelqa.core.comparison.greedy import Continued, GreedyCompared, Parting
from pytest_modelqa.core.comparison.logits import Attributed, Weighed
from pytest_modelqa.core.ids import canonical
from pytest_modelqa.core.wire import decode_answer, encode

pytestmark = pytest.mark.tier1

SIDE = Continued(ids=(1,), text="a", finish="stop", stopped_by=1, nonfinite_step=-1)
PARTING = Parting(
    step=0,
    reference_choice=1,
    candidate_choice=2,
    reference_piece="a",
    candidate_piece="b",
    reference_margin=0.5,
    candidate_margin=math.inf,
    delta_u=0.0,
    delta_v=0.0,
)


@pytest.mark.parametrize("parting", [None, PARTING])
def test_a_dataclass_or_none_survives(parting: Parting | None) -> None:
    answer = GreedyCompared(
        prompt_tokens=1, equal_steps=0, reference=SIDE, candidate=SIDE, parting=parting
    )
    assert decode_answer(json.loads(canonical(encode(answer)))) == answer


@pytest.mark.parametrize("kl", [None, 0.5, math.inf])
def test_a_number_or_none_survives(kl: float | None) -> None:
    cell = Weighed(weights="reference", tokenizer="candidate", kl=kl, loss=1.0, text_loss=1.0)
    answer = Attributed(reference_ids=(1,), candidate_ids=(2,), cells=(cell,))
    assert decode_answer(json.loads(canonical(encode(answer)))) == answer


def test_another_kind_in_its_place_is_refused() -> None:
    answer = GreedyCompared(
        prompt_tokens=1, equal_steps=0, reference=SIDE, candidate=SIDE, parting=PARTING
    )
    body = encode(answer)
    body["parting"]["pieces"] = 1
    with pytest.raises(ValueError, match="Parting has no field pieces"):
        decode_answer(body)
