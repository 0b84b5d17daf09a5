"""What counts: rates, names, places, and whether a change does anything at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_modelqa.artifacts.defects.catalogue import selected
from pytest_modelqa.artifacts.defects.defect import Change
from pytest_modelqa.artifacts.defects.gguf_edit import Edit
from pytest_modelqa.artifacts.defects.integrity import BROKEN
from pytest_modelqa.checks.parity.causes import BY_NAME
from pytest_modelqa.checks.parity.diagnosis import Diagnosis
from pytest_modelqa.core.result import CaseResult, PlannedCase
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified
from pytest_modelqa.mutation.effect import UNMEASURED, effect_of, noise_floor
from pytest_modelqa.mutation.naming import Named, cause_right, class_of, named, place_right
from pytest_modelqa.mutation.outcome import HEALTHY, Outcome
from pytest_modelqa.mutation.report import as_json, summary, totals, verdict

FOUND = Outcome(
    name="outlier", category="values", what="One weight is too large.", state="judged",
    checks=("tensor-parity",), effect="logits: more", place="blk.2.ffn_down.weight",
    caught_by="tensor parity", seconds=2.0,
)  # fmt: skip


def _result(name: str, gate: str, judged: Verdict) -> CaseResult:
    case = PlannedCase(
        id=name, scope="gguf-f16-cpu-chat", name=name, gate=gate, category="COMP",
        severity="P1", tier=1, is_gateway=False,
    )  # fmt: skip
    return CaseResult(case=case, verdict=judged, seconds=0.0)


def test_rates_are_of_those_defects_that_do_something() -> None:
    missed = replace(FOUND, name="missed", checks=())
    idle = replace(FOUND, name="idle", checks=(), effect="")
    other = replace(FOUND, name="other", state="inapplicable", reason="no blocks", checks=())
    open_ = replace(FOUND, name="open", checks=(), effect="", undecided=("logits-parity",))
    found = totals([FOUND, missed, idle, other])
    assert [o.name for o in totals([FOUND, open_]).undecided] == ["open"]
    assert "undecided: open: logits-parity" in summary(totals([open_]))
    assert (found.detected.k, found.detected.n) == (1, 2)
    assert [o.name for o in found.undetected] == ["missed"]
    assert [o.name for o in found.without_effect] == ["idle"]
    assert [o.name for o in found.inapplicable] == ["other"]
    assert [verdict(o) for o in (FOUND, missed, idle, other)] == [
        "detected", "UNDETECTED", "no effect", "not applicable",
    ]  # fmt: skip
    lines = "\n".join(summary(found))
    assert "undetected: missed: One weight is too large. The check for it: tensor parity" in lines


def test_nothing_tested_is_no_rate() -> None:
    found = totals([])
    assert found.detected.text == "none tested"
    assert found.false_alarms.text == "none tested"
    assert found.median_seconds == 0.0


def test_a_healthy_variant_that_turns_a_check_red_is_a_false_alarm() -> None:
    green = replace(FOUND, category=HEALTHY, checks=())
    alarm = replace(FOUND, category=HEALTHY)
    found = totals([green, alarm])
    assert (found.false_alarms.k, found.false_alarms.n) == (1, 2)
    assert found.detected.n == 0
    assert verdict(alarm) == "FALSE ALARM"


def test_all_of_it_is_plain_data() -> None:
    data = as_json([FOUND], {("chat", "capital"): "falsified: no Paris"})
    assert data["totals"]["detected"] == {"k": 1, "n": 1}
    assert data["outcomes"][0]["result"] == "detected"
    assert data["not_green_before"][0]["check"] == "capital"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("cause: sign (values, certain) at blk.2.attn_output.weight: slope -1; falsified: tensors",
         Named("sign", "blk.2.attn_output.weight")),
        ("cause: Q/K permutation (layout, likely) at layout, blk.0, blk.1 and 2 more [X-1]: x",
         Named("Q/K permutation", "blk.0")),
        ("cause: (1+w) norms (values, certain) at blk.0.attn_norm.weight: 1 was added", Named(
            "(1+w) norms", "blk.0.attn_norm.weight")),
        ("cause: quantisation noise (quantisation, likely): all", Named("quantisation noise", "")),
        ("cause: unknown; falsified: trace: nothing (sure, certain) about it", Named("", "")),
    ],
)  # fmt: skip
def test_the_diagnosis_names_the_cause(reason: str, expected: Named) -> None:
    other = _result(
        "trace-parity", "F-PARITY-TRACE", falsified("cause: guess (values, certain) at blk.9: no")
    )
    assert named([other, _result(Diagnosis(of=()).name, "F-PARITY", falsified(reason))]) == expected


def test_a_file_that_its_first_gateway_refuses_is_a_broken_file() -> None:
    g0 = _result("G0", "G0", falsified("GGUF-OVERLAP blk.2.attn_v.weight: overlaps blk.1"))
    assert named([g0]) == Named(BROKEN, "blk.2.attn_v.weight")
    assert class_of(BROKEN) == "integrity"


def test_what_is_green_names_nothing() -> None:
    sound = corroborated("cause: sign (values, certain) at blk.0: no", tested=1)
    assert named([_result(Diagnosis(of=()).name, "F-PARITY", sound)]) == Named("", "")


def test_causes_belong_to_the_classes_of_the_diagnosis() -> None:
    (defect,) = selected(["sign-flipped"])
    assert cause_right(defect, "sign")
    assert not cause_right(defect, "scale")
    assert class_of("scale") == BY_NAME["scale"].kind == "values"
    assert class_of("") == ""


@pytest.mark.parametrize(
    ("place", "right"),
    [
        ("blk.2.ffn_up.weight", True),
        ("blk.2", True),
        ("blk.3.ffn_up.weight", False),
        ("blk.2.ffn_down.weight", False),
        ("blk.21", False),
        ("", False),
    ],
)
def test_a_place_is_right_where_it_is_the_tensor_or_its_layer(place: str, right: bool) -> None:
    change = Change(place="blk.2.ffn_up.weight", tensors={"blk.2.ffn_up.weight": Edit(remove=True)})
    assert place_right(change, place) is right


def test_every_tensor_of_the_layer_that_is_the_place_is_right() -> None:
    assert place_right(Change(place="blk.2"), "blk.2.attn_k.weight")
    assert not place_right(Change(place="blk.2"), "blk.20.attn_k.weight")
    assert not place_right(Change(), "blk.2")


def _logits(*kl: Any) -> dict[str, Any]:
    return {"kind": "LogitsCompared", "kl": list(kl), "ids": [1, 2]}


def test_logits_that_move_by_less_than_the_noise_do_nothing() -> None:
    noise = {"kind": "NoiseMeasured", "reference": [{"kl_mean": 1e-4}], "candidate": []}
    before = {"logits": _logits(0.001, 0.002), "noise": noise}
    assert noise_floor(before) == 1e-4
    assert effect_of(before, {**before, "logits": _logits(0.00105, 0.00195)}) == ""
    assert "logits" in effect_of(before, {**before, "logits": _logits(0.002, 0.003)})


@pytest.mark.parametrize(
    "after",
    [
        _logits({"kind": "float", "text": "nan"}, 0.002),
        _logits(0.001),
        _logits(),
        {"kind": "Failure", "cause": "crashed", "reason": "x"},
    ],
)
def test_logits_that_are_missing_or_no_numbers_are_an_effect(after: dict[str, Any]) -> None:
    assert effect_of({"logits": _logits(0.001, 0.002)}, {"logits": after})


def test_other_ids_and_texts_are_an_effect_and_other_times_are_none() -> None:
    before = {"a": {"kind": "Generation", "ids": [1, 2], "text": "x", "decode_s": 0.1}}
    slower = {"a": {"kind": "Generation", "ids": [1, 2], "text": "x", "decode_s": 0.9}}
    other = {"a": {"kind": "Generation", "ids": [1, 3], "text": "y", "decode_s": 0.1}}
    assert effect_of(before, slower) == ""
    assert effect_of(before, other) == "1 answers differ: Generation"


def test_stored_tensors_alone_are_no_effect_and_alone_they_measure_none() -> None:
    stored = {"kind": "TensorsCompared", "tensors": [{"name": "a", "relation": "same"}]}
    other = {"kind": "TensorsCompared", "tensors": [{"name": "a", "relation": "noise"}]}
    text = {"kind": "Generation", "ids": [1], "text": "x"}
    assert effect_of({"t": stored, "g": text}, {"t": other, "g": text}) == ""
    assert effect_of({"t": stored}, {"t": other}) == UNMEASURED
