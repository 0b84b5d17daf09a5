"""Values survive the pipe and the evidence file unchanged, or are refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelqa.core.answer import ANSWERS, Answer, Finding, Generation, Inspection, Logits
from pytest_modelqa.core.ids import canonical, content_key, derived_seed
from pytest_modelqa.core.measuring import Measure, measure
from pytest_modelqa.core.request import REQUESTS, Generate, Message, Request, Retrace, ScoreLogits
from pytest_modelqa.core.shipping import Demand
from pytest_modelqa.core.wire import decode, decode_answer, decode_request, encode

pytestmark = pytest.mark.tier1

VALIDATING = (Generate, ScoreLogits, Retrace, Measure)
REQUEST_VALUES = st.one_of(*[st.from_type(k) for k in REQUESTS if k not in VALIDATING])
ANSWER_VALUES = st.one_of(*[st.from_type(kind) for kind in ANSWERS])


@given(REQUEST_VALUES)
def test_every_request_survives(request: Request) -> None:
    assert decode_request(json.loads(canonical(encode(request)))) == request


@given(ANSWER_VALUES)
def test_every_answer_survives(answer: Answer) -> None:
    back = decode_answer(json.loads(canonical(encode(answer))))
    assert repr(back) == repr(answer)  # repr, because NaN is not equal to itself


def test_requests_that_validate_survive() -> None:
    for request in (
        Generate(prompt="", max_tokens=1),
        Generate(messages=(Message(role="user", content="é🙂"),)),
        ScoreLogits(ids=(1, 2)),
        ScoreLogits(text="a"),
        Retrace(generation=Generate(prompt="a"), top=2),
        measure("fuzz", {"targets": "a,b", "iterations": 3, "share": 0.5, "deep": True}),
    ):
        assert decode_request(json.loads(canonical(encode(request)))) == request


def test_a_prompt_and_messages_together_are_refused() -> None:
    with pytest.raises(ValueError, match="either a prompt or messages"):
        Generate(prompt="a", messages=(Message(role="user", content="b"),))
    with pytest.raises(ValueError, match="either a prompt or messages"):
        Generate()


def test_an_option_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        measure("fuzz", {"share": math.nan})
    with pytest.raises(ValueError, match="not finite"):
        measure("fuzz", {}, budget_s=math.inf)


def test_equal_options_are_one_request_in_any_order() -> None:
    assert measure("m", {"a": 1, "b": "x"}) == measure("m", {"b": "x", "a": 1})
    assert measure("m", {"a": 1}).arguments == {"a": 1}


def test_nan_becomes_a_text_and_nan_again() -> None:
    logits = Logits(
        file="f", sha256="0", positions=1, vocabulary=2, nonfinite=2, spread=math.nan, top1=(-1,)
    )
    back = decode_answer(json.loads(canonical(encode(logits))))
    assert isinstance(back, Logits)
    assert math.isnan(back.spread)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"kind": "Nonsense"}, "not one of"),
        ({"kind": "Tokenize"}, "lacks text"),
        ({"kind": "Tokenize", "text": "a", "extra": 1}, "no field extra"),
        (["Tokenize"], "not one of"),
    ],
)
def test_foreign_data_is_refused(data: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode_request(data)


def test_nested_values_are_rebuilt_as_values() -> None:
    finding = Finding(code="X", where="t", message="m", offset=3)
    seen = Inspection(
        format="gguf", architecture="llama", tensors=1, parameters=1, checked=1,
        findings=(finding,), unsafe=True,
    )  # fmt: skip
    back = decode_answer(json.loads(canonical(encode(seen))))
    assert isinstance(back, Inspection)
    assert back.findings[0] == finding


def test_keys_differ_where_anything_differs_and_nowhere_else() -> None:
    one = content_key(encode(Generate(prompt="a")), "sha", {"threads": 1})
    assert one == content_key(encode(Generate(prompt="a")), "sha", {"threads": 1})
    assert one != content_key(encode(Generate(prompt="b")), "sha", {"threads": 1})
    assert one != content_key(encode(Generate(prompt="a")), "sha2", {"threads": 1})
    assert one != content_key(encode(Generate(prompt="a")), "sha", {"threads": 2})
    assert len(one) == 32


def test_seeds_are_the_same_on_every_machine() -> None:
    assert derived_seed(7, "cell::case") == derived_seed(7, "cell::case")
    assert derived_seed(7, "cell::case") != derived_seed(8, "cell::case")
    assert 0 <= derived_seed(0, "") < 2**31


def test_generation_is_hashable_so_that_answers_are_not_shared_by_mutation() -> None:
    value = Generation(
        prompt_tokens=1, ids=(1,), text="a", finish="stop", nonfinite_steps=0, special_ids=0,
        prefill_s=0.0, decode_s=0.0,
    )  # fmt: skip
    assert hash(value) == hash(value)


def test_a_field_that_is_called_kind_is_kept() -> None:
    demand = Demand(kind="quality", metric="rate", threshold=0.9)
    assert encode(demand) == {
        "class": "Demand", "kind": "quality", "metric": "rate", "threshold": 0.9,
        "confidence": None,
    }  # fmt: skip
    assert decode(Demand, encode(demand)) == demand
    with pytest.raises(ValueError, match="not a Demand"):
        decode(Demand, {**encode(demand), "class": "Gauge"})
