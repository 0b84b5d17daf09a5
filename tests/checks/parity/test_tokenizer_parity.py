"""Tokenizer parity on a real pair: transformers' folder and llama.cpp's file, sound and planted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.checks.parity.tokenizer import GATE, TokenizerParity
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.comparison.tokens import CompareTokens, DecodedDiffers, TokensCompared
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.core.verdict import Outcome
from tests.checks.parity.asking import CELL, Told, asked
from tests.checks.parity.conftest import Plant
from tests.checks.parity.told import encoded, piece, text_differs, tokens, vocabularies

CHECK = TokenizerParity(drawn=0)
CUT = text_differs("xing", encoded("xin", "g"), encoded("xing"))


@pytest.fixture(scope="module")
def told(planted: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What the check says of each planted copy, and of the sound file."""
    return {name: found["tokenizer-parity"] for name, found in planted.items()}


def test_the_sound_pair_is_corroborated_on_every_piece_merge_and_text(
    told: dict[str, dict[str, Any]],
) -> None:
    sound = told["sound"]
    assert sound["outcome"] == "corroborated", sound
    assert sound["tested"] > 1500
    assert "1,024 pieces, 765 merges" in sound["reason"]
    assert "also ends at <|endoftext|> (0)" in sound["reason"]
    assert sound["rounds"] == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("merges", "merges"),
        ("lost merges", "merges"),
        ("pre", "pre-tokenizer"),
        ("bos", "double BOS"),
        ("eos", "special handling"),
        ("added eos", "special handling"),
        ("entries", "vocabulary"),
        ("kind", "special handling"),
    ],
)
def test_a_planted_defect_is_falsified_with_its_class(
    told: dict[str, dict[str, Any]], name: str, expected: str
) -> None:
    assert told[name]["outcome"] == "falsified", told[name]
    assert told[name]["reason"].startswith(f"{expected}: "), told[name]["reason"]


def test_the_smallest_text_is_told_with_index_and_both_pieces(
    told: dict[str, dict[str, Any]],
) -> None:
    reason = told["pre"]["reason"]
    assert "' +' differs at index 0: ' ' (id" in reason
    assert "in the reference ' +' (id" in reason
    assert told["pre"]["rounds"] > 1


@pytest.fixture(scope="module")
def folders(ci_light: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What the check says of folders whose tokenizer.json has another step, beside the file."""
    steps: dict[str, dict[str, Any]] = {
        "NFC": {"normalizer": {"type": "NFC"}},
        "small letters": {"normalizer": {"type": "Lowercase"}},
        "prefix": {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True,
                                     "trim_offsets": True, "use_regex": True}},
        "digits": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Punctuation", "behavior": "Isolated"},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": True}]}},
    }  # fmt: skip
    copies = {"sound": ci_light[0]}
    for name, step in steps.items():
        copies[name] = tmp_path_factory.mktemp("folders") / name
        shutil.copytree(ci_light[0], copies[name])
        file = copies[name] / "tokenizer.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | step))
    found = asked(ci_light[1], *copies.values())
    return {name: found[str(path)] for name, path in copies.items()}


def test_padding_may_have_other_names_and_a_lacking_token_not(
    ci_light: tuple[Path, Path], plant: Plant
) -> None:
    meta = gguf.read(ci_light[1]).metadata
    words, kinds = list(meta["tokenizer.ggml.tokens"]), list(meta["tokenizer.ggml.token_type"])

    def padded(name: str, word: str) -> Path:
        changed = {"ggml.tokens": [*words[:-1], word], "ggml.token_type": [*kinds[:-1], 5]}
        return plant(name, changed)

    reference, other = padded("padded", "[PAD1023]"), padded("also padded", "<extra>")
    found = asked(reference, other, ci_light[1])
    assert found[str(other)]["tokenizer-parity"]["outcome"] == "corroborated", found
    surplus = found[str(ci_light[1])]["tokenizer-parity"]
    assert surplus["outcome"] == "falsified"
    assert "0 lack, 1 are too many" in surplus["reason"]


def test_the_folder_beside_the_file_is_corroborated_too(folders: Told) -> None:
    for name in ("tokenizer-parity", "template-parity"):
        assert folders["sound"][name]["outcome"] == "corroborated", folders["sound"][name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NFC", "normalisation"),
        ("small letters", "normalisation"),
        ("prefix", "prefix space"),
        ("digits", "pre-tokenizer"),
    ],
)
def test_a_folder_with_another_step_is_falsified_with_its_class(
    folders: Told, name: str, expected: str
) -> None:
    found = folders[name]["tokenizer-parity"]
    assert found["outcome"] == "falsified", found
    assert found["reason"].startswith(f"{expected}: "), found["reason"]


def test_the_file_as_shipped_and_what_is_derived_from_it_are_corroborated(smollm2: Path) -> None:
    shipped = ArtifactSpec(model="m", format="gguf", quantization="q4_1", source=f"file:{smollm2}")
    folder = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source="derive:gguf-q4_1"
    )
    specs = {shipped.key: shipped, folder.key: folder}
    found = asked(provision(folder, specs, folder=Path.cwd()).path, smollm2)[str(smollm2)]
    for name in ("tokenizer-parity", "template-parity"):
        assert found[name]["outcome"] == "corroborated", found[name]
    assert "49,152 pieces, 48,900 merges" in found["tokenizer-parity"]["reason"]
    assert "<|endoftext|> (0), <reponame> (4)" in found["tokenizer-parity"]["reason"]
    assert "llama.cpp's own renderer, not used here, writes" in found["template-parity"]["reason"]


def _answers(**more: Any) -> dict[str, Any]:
    same = {name: tokens() for name in ("plain", "special", "begun", "drawn")}
    return {"vocabulary": vocabularies(merges=9), **same, **more}


def test_requests_cover_both_ways_of_parsing_and_the_drawn_strings() -> None:
    requests = TokenizerParity(seed=4, drawn=5).requests(CELL)
    ways = {(r.special, r.begin) for r in requests.values() if isinstance(r, CompareTokens)}
    assert ways == {(False, False), (True, False), (True, True)}
    drawn = requests["drawn"]
    assert isinstance(drawn, CompareTokens)
    assert len(drawn.texts) == 5
    assert "drawn" not in CHECK.requests(CELL)
    assert GATE == "F-PARITY-TOKENIZER"


def test_equal_answers_corroborate_and_say_on_how_much() -> None:
    verdict = CHECK.judge(_answers())
    assert verdict.outcome is Outcome.CORROBORATED
    assert verdict.tested == 40


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(_answers(vocabulary=vocabularies(pieces=0)), id="no vocabulary"),
        pytest.param(
            {
                "vocabulary": vocabularies(merges=9),
                **{n: tokens(texts=0, ids=0) for n in ("plain", "special", "begun")},
            },
            id="no text",
        ),
    ],
)
def test_nothing_compared_is_no_pass(answers: dict[str, Any]) -> None:
    assert CHECK.judge(answers).outcome is Outcome.INCONCLUSIVE


def test_a_failure_decides_and_asks_nothing_more() -> None:
    answers = _answers(special=Failure(cause="crashed", reason="boom"))
    assert CHECK.judge(answers).outcome is Outcome.CRASHED
    assert not CHECK.follow_up(CELL, answers)


def test_pieces_are_asked_where_merges_cannot_be_compared() -> None:
    assert set(CHECK.follow_up(CELL, _answers(vocabulary=vocabularies()))) == {"pieces"}
    assert not CHECK.follow_up(CELL, _answers(vocabulary=vocabularies(), pieces=tokens()))
    assert not CHECK.follow_up(CELL, _answers())


def test_a_text_that_differs_is_shrunk_round_by_round_in_its_own_way() -> None:
    answers = _answers(special=tokens(CUT))
    first = CHECK.follow_up(CELL, answers)
    asked_first = first["shrink/0"]
    assert isinstance(asked_first, CompareTokens)
    assert (asked_first.special, asked_first.begin) == (True, False)
    assert "ing" in asked_first.texts
    smaller = text_differs("ing", encoded("in", "g"), encoded("ing"))
    answers["shrink/0"] = tokens(smaller)
    second = CHECK.follow_up(CELL, answers)["shrink/1"]
    assert isinstance(second, CompareTokens)
    assert max(map(len, second.texts)) <= 3
    answers["shrink/1"] = tokens()
    assert not CHECK.follow_up(CELL, answers)
    verdict = CHECK.judge(answers)
    assert verdict.outcome is Outcome.FALSIFIED
    assert "'ing' differs at index 0" in verdict.reason
    assert verdict.tested == 40


def test_a_failed_round_of_shrinking_keeps_the_verdict() -> None:
    answers = _answers(plain=tokens(CUT), **{"shrink/0": Failure(cause="timeout", reason="slow")})
    assert CHECK.judge(answers).outcome is Outcome.FALSIFIED


def _decoded(candidate: str) -> TokensCompared:
    shown = DecodedDiffers(index=0, text="a .", candidate=candidate, reference="a .")
    return tokens(undecoded=(shown,))


def test_cleaned_spaces_are_told_and_other_decoding_falsifies() -> None:
    clean = CHECK.judge(_answers(plain=_decoded("a.")))
    assert clean.outcome is Outcome.CORROBORATED
    assert "1 texts are decoded without a space before a sign" in clean.reason
    assert CHECK.judge(_answers(plain=_decoded("A ."))).outcome is Outcome.FALSIFIED


def test_an_end_that_only_the_candidate_knows_is_told() -> None:
    end = piece(0, "<|endoftext|>", "control", "control")
    verdict = CHECK.judge(_answers(vocabulary=vocabularies({"stop_ids": (0, 2)}, stops=(end,))))
    assert verdict.outcome is Outcome.CORROBORATED
    assert "llamacpp also ends at <|endoftext|> (0), transformers does not" in verdict.reason
