"""The committed prompts of the ship gates: as generated, varied, and never trained on."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

from benchmarks import ship_prompts
from benchmarks.ship_prompts import FOLDER, SOURCES, read
from pytest_modelqa.core.errors import UsageError
from training.data.leakage import leaks
from training.records import Record, RecordFile
from training.synth import generate
from training.synth.draw import share
from training.synth.sets.process import DECISION, DOCUMENT, FEATURE, PLAN, REPAIR

FILES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
PROCESS = ("pdca_quality", "pdca_schema", "tron")
TRAINED = 3_000
"""Records of training that prompts are compared with."""


def as_file(name: str, prompts: list[str]) -> RecordFile:
    records = tuple(Record(instruction=prompt, output="") for prompt in prompts)
    return RecordFile(name=name, where=name, records=records, sha256="")


def prompts_of(name: str) -> list[str]:
    return [line["prompt"] for line in read(name)]


@cache
def trained() -> tuple[RecordFile, ...]:
    sets = generate(TRAINED, seed=8).train
    return tuple(as_file(part.name, [r.prompt for r in part.records]) for part in sets)


def trained_templates() -> list[re.Pattern[str]]:
    """The templates that training draws from, with anything in place of a slot."""
    pools = (DOCUMENT, REPAIR, FEATURE, DECISION, PLAN)
    texts = [text for pool in pools for text in share(pool, "train")]
    return [re.compile(re.sub(r"\\\$[a-z_]+", ".+", re.escape(text))) for text in texts]


def test_ship_prompts_are_what_the_command_writes() -> None:
    made = ship_prompts.texts()
    stale = [n for n in SOURCES if (FOLDER / f"{n}.jsonl").read_text("utf-8") != made[n]]
    assert stale == [], "run: python -m benchmarks.ship_prompts"


@pytest.mark.parametrize("name", PROCESS)
def test_ship_prompts_are_a_hundred_and_differ(name: str) -> None:
    lines = read(name)
    assert len(lines) == 100
    assert len({line["id"] for line in lines}) == 100
    assert len({line["prompt"].casefold() for line in lines}) == 100
    assert sum(line["id"].startswith("w") for line in lines) == 50


def test_ship_prompts_were_never_trained_on() -> None:
    asked = as_file("all", [prompt for name in FILES for prompt in prompts_of(name)])
    assert len(asked.records) >= 100 * len(PROCESS)
    assert [str(leak) for leak in leaks(trained(), asked)] == []


@pytest.mark.parametrize("name", PROCESS)
def test_ship_prompts_are_mixed_so_that_a_beginning_is_a_sample(name: str) -> None:
    letters = [line["id"][0] for line in read(name)]
    for half in (letters[:50], letters[50:]):
        assert set(half) == {"w", "t", "h"}
        assert 15 <= half.count("w") <= 35


@pytest.mark.parametrize("name", PROCESS)
def test_ship_prompts_have_no_training_template(name: str) -> None:
    templates = trained_templates()
    assert len(templates) > 30
    taken = [p for p in prompts_of(name) if any(t.fullmatch(p) for t in templates)]
    assert taken == []


def test_ship_prompts_negative_a_trained_prompt_is_found() -> None:
    process = next(part for part in trained() if part.name == "process_framework")
    known = process.records[0].prompt
    asked = [*prompts_of("pdca_schema")[:5], known, known.upper()]
    assert [leak.held for leak in leaks(trained(), as_file("x", asked))] == ["x:6", "x:7"]
    documents = [r.prompt for r in process.records if "PDCA" in r.prompt]
    assert all(any(t.fullmatch(p) for t in trained_templates()) for p in documents)


@pytest.mark.parametrize("name", PROCESS)
def test_ship_prompts_of_a_file_are_in_no_other(name: str) -> None:
    others = tuple(as_file(other, prompts_of(other)) for other in FILES if other != name)
    found = leaks(others, as_file(name, prompts_of(name)))
    assert [str(leak) for leak in found] == []


def test_ship_prompts_name_what_the_answer_must_be_about() -> None:
    for line in read("pdca_quality"):
        assert line["about"], line["id"]
        assert all(name in line["prompt"] for name in line["about"]), line["id"]


def test_ship_prompts_have_a_trailing_line_break_and_known_keys() -> None:
    for name in PROCESS:
        text = (FOLDER / f"{name}.jsonl").read_text("utf-8")
        assert text.endswith("\n")
        keys: set[Any] = {key for line in text.splitlines() for key in json.loads(line)}
        assert keys <= {"id", "prompt", "about"}


def test_ship_prompts_negative_a_grammar_that_is_exhausted_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ship_prompts, "PATIENCE", 10)
    with pytest.raises(UsageError, match="pdca_schema: no more than"):
        ship_prompts.texts()
