"""The garbage oracle: planted floods and soups red, legitimate texts green, rates measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.checks.oracles import garbage_in
from pytest_modelqa.checks.oracles.garbage import Garbage, compression, entropy_bits
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion

CORPUS = Path(__file__).parent / "corpus"


def rows(name: str) -> list[dict[str, Any]]:
    lines = (CORPUS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def sign(row: dict[str, Any]) -> str | None:
    return garbage_in(
        completion(
            row["text"],
            finish=row.get("finish", "stop"),
            tokens=row.get("tokens", 1),
            special=row.get("special", 0),
            nonfinite=row.get("nonfinite", 0),
        )
    )


SOUND_TEXTS = rows("sound_texts")
SENTENCE = "The capital of France is Paris, and the river that runs through it is the Seine. "
DEFECTS = {
    "nothing": ("", "no text"),
    "white space": (" \n\t", "no text"),
    "character flood": ("-" * 80, "entropy"),
    "unit flood": ("pard" * 30, "'pard' comes 30 times"),
    "A2A2A2": (SENTENCE + "A2" * 60, "times in a row"),
    "suffix loop": (SENTENCE + "I'm not sure. " * 12, "times in a row"),
    "loop in the middle": (SENTENCE + "the truth is " * 20 + SENTENCE, "times in a row"),
    "loop of a script without spaces": ("\u4f60\u5973\u602f\uff01" * 12, "times in a row"),
    "emoji flood": ("\U0001f368" * 26, "times in a row"),
    "numbered loop": ("\n".join(f"{i}. Frogs" for i in range(1, 12)), "equal lines"),
    "newline flood": ("Hello." + "\n" * 12 + "You", "12 line breaks"),
    "broken bytes": ("It is \ufffd\ufffd Paris", "U+FFFD"),
    "control characters": ("Paris\x00\x7f is", "U+0000, U+007F"),
    "soup of words": (
        " fillings worship afteract Smooth morbidity faire Mormon locustpicture corona during"
        " circuit Leg Scientists been Chinese Guru Feature demographic cigar iterator recruiting"
        " Opportunity Reflection craw excess cirrhosis Waters League potent usable practiced",
        "lack any function word",
    ),
    "soup of punctuation": (
        "gst\n,_. native up-, A nativeess and\n,_st nativeing, nativeis_,\n-, A native for ,_ up",
        "odd punctuation",
    ),
    "soup of function words": (
        "to names is is and to of names the is for to are a the and and name to is a is just of",
        "cannot follow",
    ),
    "soup of scripts": ("mainstream\u0438 object\u03c3\u03c4 land\u0431 is a word to me", "mix"),
    "soup of lines": (
        "They withessert\n void\n void now\n Guide before the void\n invisible\n\n\n we only",
        "lines begin with one space",
    ),
    "soup of brackets": ("Paris) is a city) of light) and the Seine) runs) through it)", "bracket"),
    "stutter": ("shotsshots herher and isedised to herher of shotsshots", "repeat a part"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), DEFECTS.values(), ids=DEFECTS)
def test_a_planted_defect_is_garbage_and_the_reason_names_it(text: str, said: str) -> None:
    reason = garbage_in(completion(text))
    assert reason is not None
    assert said in reason


@pytest.mark.parametrize("row", SOUND_TEXTS, ids=lambda row: row["id"])
def test_a_legitimate_text_is_no_garbage(row: dict[str, Any]) -> None:
    assert sign(row) is None


def test_a_few_lines_that_begin_with_one_space_are_no_garbage() -> None:
    text = "The mountains stand,\n and the valleys answer;\n then night comes, and all is still."
    assert garbage_in(completion(text)) is None


def test_a_flood_of_control_tokens_is_garbage_whatever_the_text_says() -> None:
    assert "control tokens" in str(garbage_in(completion("Paris", tokens=32, special=31)))
    assert garbage_in(completion("Paris", tokens=32, special=0)) is None


def test_nan_in_the_logits_is_garbage_whatever_the_text_says() -> None:
    assert "NaN" in str(garbage_in(completion("Paris is the capital.", nonfinite=1)))


def test_a_character_that_max_tokens_cut_in_two_is_no_garbage() -> None:
    text = "It costs 3 \u20ac in Rome \ufffd"
    assert garbage_in(completion(text, finish="length")) is None
    assert "U+FFFD" in str(garbage_in(completion(text, finish="stop")))


def test_limits_can_be_moved_by_the_playbook() -> None:
    answer = completion("hello " * 12)
    assert Garbage().judge("", answer).outcome is Outcome.FALSIFIED
    loose = Garbage(max_loop_share=1.0, max_loop_chars=100, max_repeated_share=1.0)
    assert loose.judge("", answer).outcome is Outcome.CORROBORATED


def test_false_alarms_on_real_sound_outputs_stay_within_one_in_a_hundred() -> None:
    sound = [r for r in rows("sound") if r["label"] == "sound"]
    alarms = [r["id"] for r in sound if sign(r)]
    assert len(sound) >= 200
    assert len(alarms) <= 0.01 * len(sound), alarms


def detection(half: str) -> tuple[int, int]:
    broken = [
        r for r in rows("broken") if r["label"] in ("broken", "looping") and r["half"] == half
    ]
    return sum(sign(r) is not None for r in broken), len(broken)


# The floors are what was measured (docs/oracles.md), less a little: a change that detects
# less must say so. The held-out half is the honest figure for defects that nobody looked at.
@pytest.mark.parametrize(("half", "floor", "fewest"), [("tune", 0.87, 300), ("held-out", 0.78, 40)])
def test_detection_of_broken_outputs_does_not_fall(half: str, floor: float, fewest: int) -> None:
    found, total = detection(half)
    assert total >= fewest
    assert found >= floor * total


def test_the_corpus_stays_small() -> None:
    assert sum(f.stat().st_size for f in CORPUS.iterdir()) < 400_000


@given(st.text(max_size=300), st.sampled_from(["stop", "length", "context"]))
@settings(max_examples=60, deadline=None)
def test_no_text_makes_the_oracle_raise(text: str, finish: Any) -> None:
    answer = completion(text, finish=finish)
    reason = garbage_in(answer)
    verdict = Garbage().judge("", answer)
    assert (verdict.outcome is Outcome.FALSIFIED) == (reason is not None)


@given(st.text(min_size=1, max_size=12).filter(str.strip))
@settings(max_examples=60, deadline=None)
def test_any_unit_in_a_long_loop_is_garbage(unit: str) -> None:
    assert garbage_in(completion(unit * 300)) is not None


def test_entropy_and_compression_have_their_textbook_values() -> None:
    assert entropy_bits("aabb") == 1
    assert entropy_bits("abcd") == 2
    assert compression("a" * 1000) > 50
