"""Drawn examples: the same everywhere, different from each other, and all of them valid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_modelqa.checks.families import FAMILIES, drawn, generated, replay
from pytest_modelqa.checks.families.drawn import family_of
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.request import Generate
from tests.checks.families.engine import CELL, prompt_of

ROOT = Path(__file__).parents[3]
ROOM = 300
DRAW = """
import sys
{before}
from pytest_modelqa.checks.families import FAMILIES, drawn
for name in FAMILIES:
    for example in drawn(name, 7, 40, 300):
        print(example.text)
"""
ODD_MODULE = "\n".join(
    f"N{i} = {n}\nS{i} = {chr(97 + i % 26) * 3 + str(i)!r}\nB{i} = {bytes([i])!r}"
    for i, n in enumerate(range(100, 220))
)
HOSTILE = """
import strange_constants
from hypothesis import settings, Verbosity, Phase
settings.register_profile("own", max_examples=3, derandomize=True, phases=[Phase.explicit])
settings.load_profile("own")
"""


def elsewhere(folder: Path, before: str, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRAW.format(before=before)],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}:{folder}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_examples_are_the_same_in_every_process_whatever_else_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "strange_constants.py").write_text(ODD_MODULE)
    here = "".join(f"{e.text}\n" for name in FAMILIES for e in drawn(name, 7, 40, ROOM))
    assert elsewhere(tmp_path, "", "1") == here
    assert elsewhere(tmp_path, HOSTILE, "2") == here


def test_importing_the_package_does_not_import_hypothesis() -> None:
    code = "import sys, pytest_modelqa.checks.families; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_another_seed_gives_other_examples_and_a_longer_drawing_begins_alike(name: str) -> None:
    short = drawn(name, 1, 20, ROOM)
    assert drawn(name, 1, 60, ROOM)[:20] == short
    assert set(drawn(name, 2, 20, ROOM)) != set(short)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("count", [1, 7, 300])
def test_exactly_count_different_prompts_are_drawn(name: str, count: int) -> None:
    family = family_of(name, ROOM)
    examples = drawn(name, 3, count, ROOM)
    assert len(examples) == count
    assert len({family.question(e.params).prompt for e in examples}) == count


@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_is_drawn_and_every_example_is_a_valid_question(name: str) -> None:
    family = family_of(name, ROOM)
    seen = set()
    for example in drawn(name, 3, 300, ROOM):
        prompt, oracle = family.question(example.params)
        assert oracle.problem_with(prompt) is None, prompt
        prompt.encode()
        assert isinstance(CELL.ask(prompt, max_tokens=8), Generate)
        seen.add(example.params["kind"])
    assert seen == set(family.kinds)


def test_the_longest_prompt_leaves_room_for_the_answer() -> None:
    for example in drawn("edge", 3, 300, ROOM):
        assert len(family_of("edge", ROOM).question(example.params).prompt.split()) <= ROOM + 5


@pytest.mark.parametrize("name", FAMILIES)
def test_an_example_is_replayed_from_its_json_alone(name: str) -> None:
    family = family_of(name, ROOM)
    for example in drawn(name, 3, 100, ROOM):
        assert example.text.isascii()
        scenario = replay(example.text)
        assert (scenario.prompt, scenario.oracle) == family.question(example.params)
        assert prompt_of(scenario.requests(CELL)["answer"]) == scenario.prompt


GOOD = {"family": "arithmetic", "kind": "sum", "form": "Compute {}.", "style": "signs", "a": 1,
        "b": 2}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[1]", "JSON object"),
        ("{}", "expected one of arithmetic, code"),
        (json.dumps({**GOOD, "family": "magic"}), "expected one of arithmetic, code"),
        (json.dumps({**GOOD, "family": ["code"]}), "expected one of arithmetic, code"),
        (json.dumps({**GOOD, "kind": "root"}), "expected one of sum, difference"),
        (json.dumps({**GOOD, "c": 3}), "unknown key c; expected a, b, family"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "b"}), "b missing"),
        (json.dumps({**GOOD, "a": 100}), "a whole number from 0 to 99"),
        (json.dumps({**GOOD, "a": True}), "a whole number from 0 to 99"),
        (json.dumps({**GOOD, "style": "loud"}), "one of 'signs', 'words'"),
        ('{"family": "formatting", "kind": "upper", "words": ["apple", "apple"]}', "different"),
        ('{"family": "edge", "kind": "marks", "text": "x"}', "1 to 24 characters"),
    ],
)
def test_parameters_that_nobody_drew_are_refused_with_what_was_expected(
    text: str, said: str
) -> None:
    assert replay(json.dumps(GOOD)).prompt == "Compute 1 + 2."
    with pytest.raises(UsageError, match="example: ") as raised:
        replay(text)
    assert said in str(raised.value)


BLOCK = {
    "families": ("arithmetic", "code", "formatting", "edge"), "count": 10, "max_tokens": 32,
    "mode": "fast", "oracles": {},
}  # fmt: skip


def test_count_is_split_over_the_families_and_the_rest_goes_to_the_first() -> None:
    checks = generated(BLOCK, seed=1, n_ctx=512, replay="r")
    assert [(c.family, c.count) for c in checks] == [
        ("arithmetic", 3), ("code", 3), ("formatting", 2), ("edge", 2),
    ]  # fmt: skip
    assert [len(c.requests(CELL)) for c in checks] == [3, 3, 2, 2]
    assert [c.category for c in checks] == ["QUAL", "QUAL", "QUAL", "EDGE"]
    assert checks[3].gate == "F-GENERATED-EDGE"
    few = generated({**BLOCK, "count": 2}, seed=1, n_ctx=512, replay="r")
    assert [c.family for c in few] == ["arithmetic", "code"]


def test_another_oracle_judges_a_family_if_it_can() -> None:
    (check,) = generated(
        {**BLOCK, "families": ("code",), "oracles": {"code": "completeness"}},
        seed=1, n_ctx=512, replay="r",
    )  # fmt: skip
    assert check.oracle is not None
    assert check.oracle.name == "completeness"
    same = generated({**BLOCK, "oracles": {"code": "code_syntax"}}, seed=1, n_ctx=512, replay="r")
    assert same == generated(BLOCK, seed=1, n_ctx=512, replay="r")


@pytest.mark.parametrize(
    ("oracle", "said"),
    [
        ("magic", "no oracle is named"),
        ("contains", "needs expected"),
        ("arithmetic", "cannot judge"),
    ],
)
def test_an_oracle_that_cannot_judge_the_family_is_refused(oracle: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        generated({**BLOCK, "oracles": {"code": oracle}}, seed=1, n_ctx=512, replay="r")
