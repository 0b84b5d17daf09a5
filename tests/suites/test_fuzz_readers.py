"""Mutations and probes: sound inputs are sound, mutations reach deep, and answers are compared."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.core.errors import OutputError, UsageError
from suites.fuzz import corpus, files, gguf_files, limits, safetensors_files
from suites.fuzz.draw import dice
from suites.fuzz.outcome import Failure, Outcome
from suites.fuzz.reader import OF_ALL, Held, Reader, Trial
from suites.fuzz.readers import READERS, reader


@pytest.mark.parametrize("made", READERS, ids=lambda made: made.name)
def test_what_mutations_start_from_is_sound(made: Reader, tmp_path: Path) -> None:
    trial = Trial(made)
    for number, seed in enumerate(made.seeds()):
        files.write(seed, tmp_path / str(number))
        assert trial.read(tmp_path / str(number)) is None
    assert dict(trial.held.answers) == {"sound": len(made.seeds())}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("gguf", {"sound", "inconsistent", "unsafe"}),
        ("safetensors", {"sound", "inconsistent", "unsafe"}),
        ("apr", {"sound", "inconsistent", "unsafe"}),
        ("lockfile", {"sound", "refused"}),
    ],
)
def test_mutations_reach_every_kind_of_answer(name: str, wanted: set[str], tmp_path: Path) -> None:
    made = reader(name)
    trial = Trial(made)
    for index in range(150):
        files.write(made.mutated(dice(name, 1, index)), tmp_path / "input")
        assert trial.read(tmp_path / "input") is None
    assert set(trial.held.answers) == wanted
    assert min(trial.held.answers.values()) >= 5, "a kind that is rare is hardly fuzzed"


def test_most_mutated_headers_get_past_the_magic(tmp_path: Path) -> None:
    codes: Counter[str] = Counter()
    for index in range(150):
        files.write(reader("gguf").mutated(dice("gguf", 2, index)), tmp_path)
        codes.update(f.code for f in gguf.read(tmp_path / gguf_files.NAME).findings)
    assert codes["GGUF-MAGIC"] < 5
    assert len(codes) >= 10


@pytest.mark.parametrize("name", ["nothing", "gguf2", "suites.fuzz.reader:Held"])
def test_an_unknown_reader_is_told_with_those_that_exist(name: str) -> None:
    with pytest.raises(UsageError, match="no reader is called") as caught:
        reader(name)
    assert "safetensors" in caught.value.remedy


def test_a_folder_holds_the_files_of_an_input_and_no_others(tmp_path: Path) -> None:
    files.write({"a": b"1", "b": b"2"}, tmp_path)
    files.write({"b": b"3"}, tmp_path)
    assert files.read(tmp_path) == {"b": b"3"}
    assert files.digest({"a": b"1"}) != files.digest({"a": b"2"}) != files.digest({"b": b"1"})


def test_negative_control_a_broken_input_is_kept_and_read_again(tmp_path: Path) -> None:
    failure = Failure(kind="raised", place="x", detail="y", index=3, count=2, files={"a": b"1"})
    outcome = Outcome(target="gguf", iterations=9, seed=1, seconds=1.0, checked={"z": 9}, notes={},
                      failures=(failure,))  # fmt: skip
    (kept,) = corpus.keep(outcome, tmp_path)
    assert list(corpus.inputs("gguf", tmp_path)) == [(kept.name, {"a": b"1"})]
    assert outcome.violations == 2
    assert not outcome.passed
    assert "BROKEN raised (x) x 2, first at 3: y" in outcome.lines()[-1]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot keep"):
        corpus.keep(outcome, tmp_path / "file")


def test_a_run_that_checked_nothing_is_no_pass() -> None:
    for iterations, checked in ((0, {"z": 1}), (9, {})):
        made = Outcome(target="t", iterations=iterations, seed=1, seconds=0.0, checked=checked,
                       notes={}, failures=())  # fmt: skip
        assert not made.passed


@pytest.mark.nightly
def test_a_template_that_never_ends_ends_in_its_own_process(tmp_path: Path) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    files.write({"chat_template.jinja": loop.encode()}, tmp_path)
    trial = Trial(reader("template"))
    assert trial.read(tmp_path) is None
    assert dict(trial.held.answers) == {"ended in its process": 1}


def test_the_written_headers_are_those_of_the_formats(tmp_path: Path) -> None:
    (first, *_) = gguf_files.seeds()
    files.write(first, tmp_path)
    read = gguf.read(tmp_path / gguf_files.NAME)
    assert not read.findings
    assert read.metadata["llama.embedding_length"] == 32
    (folder, sharded) = safetensors_files.seeds()
    assert json.loads(folder["config.json"])["model_type"] == "llama"
    assert safetensors_files.INDEX in sharded


def takes(*mebibytes: int) -> Trial:
    """A reader whose files take so much memory, one after the other, and keep none of it."""
    steps = iter(mebibytes)

    def probe(_folder: Path, _held: Held) -> str:
        return str(bool(b"x" * (next(steps) << 20)))

    made = Reader(name="planted", seeds=lambda: (), mutated=lambda _dice: {}, probe=probe)
    return Trial(made)


def test_negative_control_memory_is_measured_for_each_file_anew(tmp_path: Path) -> None:
    trial = takes(40, 80, 120, 40)
    found = [trial.read(tmp_path) for _ in range(4)]
    assert [fault and (fault.kind, fault.place) for fault in found] == [
        None, ("memory", "growth"), ("memory", "growth"), None,
    ]  # fmt: skip
    assert trial.held.counts["bounded_memory"] == 4
    assert not trial.held.notes


def test_negative_control_a_reader_has_a_bound_of_its_own(tmp_path: Path) -> None:
    trial = takes(80, 120)
    trial.reader = replace(trial.reader, growth_kib=100 << 10)
    assert trial.read(tmp_path) is None
    assert (fault := trial.read(tmp_path)) is not None
    assert (fault.kind, fault.place) == ("memory", "growth")


def test_a_template_may_ask_for_texts_that_are_longer_than_any_file(tmp_path: Path) -> None:
    asks = "{{ 'x' | center(10 ** 7) }}{{ messages[0].content }}{{ 'x' | center(10 ** 7) }}"
    files.write({"chat_template.jinja": asks.encode()}, tmp_path)
    trial = Trial(reader("template"))
    assert trial.read(tmp_path) is None
    assert sum(trial.held.answers.values()) == 1


def test_negative_control_memory_that_cannot_be_measured_for_each_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_RESET", tmp_path / "nothing" / "clear_refs")
    trial = takes(1, 1)
    assert [trial.read(tmp_path) for _ in range(2)] == [None, None]
    assert trial.held.counts["bounded_memory"] == 0
    assert dict(trial.held.notes) == {OF_ALL: 2}


def test_a_template_that_refuses_a_system_turn_is_sound_to_mutate(tmp_path: Path) -> None:
    refusing = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    trial = Trial(reader("template"))
    for text, answers in ((refusing, {"sound": 1}), (refusing[:-5], {"sound": 1, "refused": 1})):
        files.write({"chat_template.jinja": text.encode()}, tmp_path)
        assert trial.read(tmp_path) is None
        assert dict(trial.held.answers) == answers
