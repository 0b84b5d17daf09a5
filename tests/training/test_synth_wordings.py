"""What training alone is asked: pairs that one phrase decides, and calls put together of parts."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest

from benchmarks.ship_prompts import FOLDER, read
from training.data.leakage import leaks
from training.records import HOLD_OUT, Record, RecordFile
from training.synth import drawn
from training.synth.draw import Draw, Side
from training.synth.sets.contrast import Contrast
from training.synth.sets.contrasts import CONTRASTS, contrasted
from training.synth.sets.rules import RULES
from training.synth.sets.tool_wordings import WORDINGS, path_of, worded
from training.synth.words import FIELDS, POOLS, TRAINED_FIELDS

EVERY = [(kind, contrast) for kind, found in CONTRASTS.items() for contrast in found]
GATES = ("refusal", "tool_success", "empty_constructor")


def draw(seed: int, side: Side = "train") -> Draw:
    made = Draw(Random(seed), side, POOLS)
    made.bind(entity="OrderStore", count="12", times="3")
    return made


def test_every_rule_has_pairs() -> None:
    assert CONTRASTS.keys() == RULES.keys()


@pytest.mark.parametrize(("kind", "contrast"), EVERY)
def test_the_phrases_of_a_pair_differ_and_every_frame_has_one(
    kind: str, contrast: Contrast
) -> None:
    assert not set(contrast.broken) & set(contrast.kept), kind
    for pool in (contrast.frames, contrast.broken, contrast.kept, contrast.what):
        assert len(set(pool)) == len(pool), kind
    assert all("$way" in frame for frame in contrast.frames)
    assert all("$other" in f or "$way" in f for f in contrast.only_kept)
    assert not set(contrast.frames) & set(contrast.only_kept)


@pytest.mark.parametrize("kind", CONTRASTS)
def test_what_breaks_a_rule_and_what_keeps_it_share_their_frames(kind: str) -> None:
    """The same draw for both: they differ, and in nothing but the phrase."""
    pairs = [(contrasted(draw(s), kind, breaks=True), contrasted(draw(s), kind, breaks=False))
             for s in range(300)]  # fmt: skip
    assert all(broken != kept for broken, kept in pairs)
    shared = [len(words(a) & words(b)) / len(words(a) | words(b)) for a, b in pairs]
    assert sum(share >= 0.3 for share in shared) > 200
    assert not {a for a, _ in pairs} & {b for _, b in pairs}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def test_a_request_is_a_sentence_without_open_slots() -> None:
    for kind in CONTRASTS:
        for seed in range(300):
            text = contrasted(draw(seed), kind, breaks=bool(seed % 2))
            assert "$" not in text, text
            assert text[0] == text[0].upper()
            assert "  " not in text, text


def test_a_worded_call_names_what_it_is_about() -> None:
    wanted = {"run": "command", "list": "folder", "search": "query", "search-in": "query"}
    for kind in WORDINGS:
        for seed in range(200):
            made = draw(seed)
            made.bind(path="src/a.ts", folder="src/db", query="await", command="make clean")
            made.bind(old="OldName", new="NewName", text="draft")
            text = worded(made, kind)
            slots = [wanted.get(kind, "path"), *(("old", "new") if kind == "edit" else ())]
            assert all(made.bound[slot] in text for slot in slots), text
            assert re.search(r"\$[a-z]", text) is None, text
            assert "  " not in text, text


def test_paths_are_of_many_kinds() -> None:
    paths = Counter(path_of(draw(seed), "OrderStore", "ts") for seed in range(1000))
    assert len(paths) > 300
    assert {"/" in path for path in paths} == {True, False}
    assert {"OrderStore" in path for path in paths} == {True, False}


def test_negative_the_hold_out_has_no_part_in_what_only_trains() -> None:
    held = drawn({"guardrails": 1, HOLD_OUT: 400}, 3).hold_out.records
    assert not [r for r in held if str(r.metadata["template"]).endswith(("-pair", "-worded"))]
    fields = [field for seed in range(200) for field in draw(seed, "held").some(FIELDS, 3)]
    assert not set(fields) & set(TRAINED_FIELDS)


@pytest.mark.parametrize("name", GATES)
def test_prompts_of_the_gates_are_not_among_what_training_is_asked(name: str) -> None:
    counts = {"guardrails": 4000, "tool_awareness": 3000, "style_core": 1500, HOLD_OUT: 1}
    sets = drawn(counts, 11)
    asked = tuple(Record(instruction=line["prompt"], output="") for line in read(name))
    prompts = RecordFile(name=name, where=str(FOLDER), records=asked, sha256="")
    bare = tuple(
        RecordFile(
            name=part.name,
            where=part.where,
            records=tuple(Record(instruction=r.prompt, output="") for r in part.records),
            sha256="",
        )
        for part in sets.train
    )
    assert [str(leak) for leak in leaks(bare, prompts)] == []
