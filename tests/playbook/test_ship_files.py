"""Ship gates and canaries: their files are read with the playbook, mistakes told by their line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.errors import PlaybookError
from pytest_modelqa.core.shipping import Demand
from pytest_modelqa.playbook.load import load
from tests.playbook.ship_lines import (
    EXAMPLES,
    HARNESS,
    ORACLES,
    PROMPTS,
    TASK,
    Needy,
    Read,
    mistakes,
)
from tests.playbook.stubs import Sum


def test_a_harness_has_its_prompts_and_examples(gated: Read) -> None:
    book = gated(
        {"system": "be brief", "stop": ["#"], "max_tokens": 9, "expected": 4, "mode": "fast"},
        ship_gates={"confidence": 0.9, "min_overall": 0.8},
    )
    assert book.ship is not None
    (harness,) = book.ship.harnesses
    assert (book.ship.artifact, book.ship.baseline, book.ship.min_overall) == (
        "gguf-q4_k_m", "", 0.8,
    )  # fmt: skip
    assert harness.demand == Demand(kind="ship", metric="rate", threshold=0.9, confidence=0.9)
    assert (harness.stop, harness.max_tokens, harness.mode) == (("#",), 9, "fast")
    first, second = harness.prompts
    assert (first.id, first.text, first.system) == ("a", "What is 1?", "be brief")
    assert (second.system, second.oracle) == ("s", Sum(expected=4))
    assert first.oracle is second.oracle
    good, bad = harness.examples
    assert (good.passes, good.place, bad.passes, bad.place) == (
        True, "e.jsonl:1", False, "e.jsonl:2",
    )  # fmt: skip


def test_a_lines_own_fields_override_those_of_the_harness(gated: Read) -> None:
    lines = [{**PROMPTS[0], "expected": 5}, PROMPTS[1]]
    book = gated({"expected": 4, "confidence": 0.99}, prompts=lines)
    assert book.ship is not None
    (harness,) = book.ship.harnesses
    assert [p.oracle for p in harness.prompts] == [Sum(expected=5), Sum(expected=4)]
    assert harness.demand.confidence == 0.99


def test_the_first_samples_are_asked(gated: Read) -> None:
    book = gated({"samples": 1})
    assert book.ship is not None
    assert [p.id for p in book.ship.harnesses[0].prompts] == ["a"]


def test_a_field_that_the_oracle_requires_may_stand_in_every_line(gated: Read) -> None:
    lines = [{**line, "wanted": w} for line, w in zip(PROMPTS, ("refuse", "x"), strict=True)]
    examples = [{**line, "wanted": "x"} for line in EXAMPLES]
    book = gated({"oracle": "needy", "metric": "f1"}, prompts=lines, examples=examples)
    assert book.ship is not None
    assert [p.oracle for p in book.ship.harnesses[0].prompts] == [
        Needy(wanted="refuse"), Needy(wanted="x"),
    ]  # fmt: skip


def test_the_hash_covers_the_files(gated: Read) -> None:
    first = gated({}).sha256
    assert gated({}).sha256 == first
    assert gated({}, prompts=PROMPTS[:1]).sha256 != first
    assert gated({}, examples=[*EXAMPLES, EXAMPLES[0]]).sha256 != first


NEEDY = {"oracle": "needy"}


@pytest.mark.parametrize(
    ("harness", "prompts", "told"),
    [
        ({"samples": 3}, PROMPTS, "ship_gates.harnesses.h.samples: 3 are asked for, and there are "
         "2 prompts"),
        ({"prompts": "none.jsonl"}, PROMPTS, "ship_gates.harnesses.h.prompts: no such file:"),
        ({}, "", "ship_gates.harnesses.h.prompts: the file is empty:"),
        ({}, "{}\n", "p.jsonl:1:1: id: is missing, and required"),
        ({}, '\n\n{"id": 1, "prompt": "1"}', "p.jsonl:3:1: id: must be text, found the number 1"),
        ({}, '{"id": "a", "prompt": "1"', "p.jsonl:1:1: not JSON: Expecting ',' delimiter"),
        ({}, "[]", "p.jsonl:1:1: must be one JSON object, found a list"),
        ({}, '{"id": "a", "id": "b", "prompt": "1"}', "p.jsonl:1:1: duplicate key 'id'"),
        ({}, '{"id": "a", "prompt": "1", "expected": NaN}', "p.jsonl:1:1: NaN is no JSON number"),
        ({}, "[" * 5000, "p.jsonl:1:1: not JSON:"),
        ({}, '{"id": "a", "prompt": "1", "x": ' + '{"a":' * 600 + "1" + "}" * 601,
         "p.jsonl:1:1: nested deeper than 64 levels"),
        ({}, [{**PROMPTS[0], "promt": "x"}], "p.jsonl:1:1: promt: unknown key 'promt'; did you "
         "mean 'prompt'?"),
        ({}, [{**PROMPTS[0], "expected": [1]}], "p.jsonl:1:1: expected: must be"),
        ({}, [{"id": "a", "prompt": "hello"}], "p.jsonl:1:1: prompt: no digit in the prompt"),
        ({}, [PROMPTS[0], {**PROMPTS[1], "id": "a"}], "p.jsonl:2:1: id: a second prompt 'a'; the "
         "first is at line 1"),
        ({}, [PROMPTS[0], {**PROMPTS[0], "id": "b"}], "p.jsonl:2:1: prompt: the same prompt again"),
        (NEEDY, PROMPTS, "ship_gates.harnesses.h.wanted: is missing, here and in every line; "),
        (NEEDY, [{**PROMPTS[0], "wanted": "x"}, PROMPTS[1]],
         "p.jsonl:2:1: wanted: is missing, here and in the harness; needy requires it"),
        (NEEDY, [{**PROMPTS[0], "wanted": "bad"}], "p.jsonl:1:1: wanted: bad is not allowed"),
        ({**NEEDY, "wanted": "bad"}, PROMPTS, "ship_gates.harnesses.h.wanted: bad is not allowed"),
        ({"metric": "f1"}, PROMPTS, "ship_gates.harnesses.h.metric: f1 needs an oracle of two"),
        ({**NEEDY, "metric": "f1", "wanted": "refuse"}, PROMPTS,
         "ship_gates.harnesses.h.prompts: all 2 prompts are of one class"),
        ({"max_tokens": 999}, PROMPTS, "ship_gates.harnesses.h.max_tokens: 999 is more than "
         "limits.max_tokens (256); raise that"),
        ({"oracle": "pattern", "pattern": "x"}, PROMPTS, "ship_gates.harnesses.h.oracle: the "
         "oracle 'pattern' may not have a field 'kind'"),
    ],
)  # fmt: skip
def test_ship_negative_a_mistake_in_a_harness_is_told_with_its_place(
    gated: Read, harness: Mapping[str, Any], prompts: Any, told: str
) -> None:
    found = mistakes(gated, harness, prompts=prompts)
    assert any(told in line for line in found), found


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        (EXAMPLES[:1], "examples: has no bad example; add a line with passes: false"),
        (EXAMPLES[1:], "examples: has no good example; add a line with passes: true"),
        ("", "examples: the file is empty"),
        ([{"answer": "1", "passes": "yes", "why": "x"}], "e.jsonl:1:1: passes: must be true or"),
        ([{**EXAMPLES[0], "why": ""}], "e.jsonl:1:1: why: needs at least 1 character"),
        ([{"answer": "1", "passes": True, "why": "x"}], "e.jsonl:1:1: prompt: no digit"),
    ],
)
def test_ship_negative_a_mistake_in_the_examples_is_told_with_its_place(
    gated: Read, examples: Any, told: str
) -> None:
    found = mistakes(gated, {}, examples=examples)
    assert any(told in line for line in found), found


def test_many_mistakes_of_one_file_are_counted(gated: Read) -> None:
    found = mistakes(gated, {}, prompts="nonsense\n" * 30)
    assert sum("p.jsonl" in line for line in found) == 10
    assert any(line.endswith("(and 20 more)") for line in found)


def test_what_is_turned_off_reads_no_file(gated: Read) -> None:
    book = gated(
        {"prompts": "none.jsonl"},
        ship_gates={"enabled": False},
        canaries={"enabled": False, "file": "none"},
    )
    assert (book.ship, book.canaries) == (None, None)


def test_canaries_come_from_the_playbook_or_a_file(gated: Read) -> None:
    task = {**TASK, "expected": 1, "system": "s", "stop": ["#"], "max_tokens": 3}
    inline = gated(canaries={"tasks": [task]}).canaries
    assert inline is not None
    (only,) = inline.tasks
    assert (only.name, only.group, only.prompt, only.system) == ("one", "g", "1?", "s")
    assert (only.oracle, only.stop, only.max_tokens) == (Sum(expected=1), ("#",), 3)
    assert (inline.stages, inline.baseline) == (("gguf-q4_k_m",), "")
    text = f"tasks:\n  - {json.dumps(task)}\n"
    filed = gated(canaries={"file": "c.yaml"}, files={"c.yaml": text})
    assert filed.canaries == inline
    other = gated(canaries={"file": "c.yaml"}, files={"c.yaml": text + "# changed\n"})
    assert other.sha256 != filed.sha256


@pytest.mark.parametrize(
    ("canaries", "told"),
    [
        ({}, "canaries: needs one of `file` and `tasks`, found none"),
        ({"file": "c.yaml", "tasks": [TASK]}, "canaries: needs one of `file` and `tasks`, found"),
        ({"file": "none.yaml"}, "canaries.file: no such file"),
        ({"tasks": [TASK, TASK]}, "canaries.tasks[1].name: a second canary 'one'"),
        ({"tasks": [{**TASK, "oracle": "smu"}]}, "did you mean 'sum'?"),
        ({"tasks": [{**TASK, "prompt": "x"}]}, "canaries.tasks[0].prompt: no digit in the prompt"),
        ({"tasks": [{**TASK, "oracle": "needy"}]}, "canaries.tasks[0].wanted: is missing"),
        ({"tasks": [TASK], "stages": ["gguf-f16"]}, "canaries.stages[0]: 'gguf-f16' is not an art"),
        ({"tasks": [TASK], "baseline": "gguf-f16"}, "canaries.baseline: 'gguf-f16' is not an art"),
        ({"file": "c.yaml"}, "c.yaml:2:5: tasks[0].name: is missing, and required"),
        ({"file": "d.yaml"}, "canaries.file: "),
        ({"file": "e.yaml"}, "e.yaml:1:1: task: unknown key 'task'; did you mean 'tasks'?"),
    ],
)
def test_ship_negative_a_mistake_in_canaries_is_told(
    gated: Read, canaries: dict[str, Any], told: str
) -> None:
    files = {
        "c.yaml": "tasks:\n  - group: g\n    prompt: '1'\n    oracle: sum\n",
        "d.yaml": "tasks: [",
        "e.yaml": "task: []\n",
    }
    found = mistakes(gated, canaries=canaries, files=files)
    assert any(told in line for line in found), found


ARTIFACTS = """\
version: "1.0"
model:
  id: a/b
  artifacts:
    - {format: gguf, quantization: f16, source: "file:f16"}
    - {format: gguf, quantization: q8_0, source: "file:q8"}
    - {format: gguf, quantization: q4_0, source: "file:q4"}
test_matrix: {modalities: [chat], backends: [cpu], formats: [gguf], quantizations: [q8_0, q4_0]}
"""


@pytest.mark.parametrize(
    ("ship", "canaries", "told"),
    [
        ({"artifact": "gguf-f16"}, {}, "ship_gates.artifact: 'gguf-f16' is not an artifact of "
         "test_matrix"),
        ({"artifact": "gguf-q2_k"}, {}, "ship_gates.artifact: 'gguf-q2_k' is not an artifact of "
         "this playbook"),
        ({"baseline": "gguf-f61"}, {}, "ship_gates.baseline: 'gguf-f61' is not an artifact of this "
         "playbook; did you mean 'gguf-f16'?"),
        ({}, {"stages": ["gguf-f16", "gguf-q8_0"]}, "canaries.stages[1]: the last stage is what "
         "ships, and ship_gates.artifact is gguf-q4_0"),
        ({}, {"stages": ["gguf-f16", "gguf-q4_0"]}, ""),
        ({"artifact": "gguf-q8_0", "baseline": "gguf-f16"}, {"baseline": "gguf-f16"}, ""),
    ],
)  # fmt: skip
def test_artifacts_that_ship_gates_name_must_fit(
    gated: Read, tmp_path: Path, ship: dict[str, str], canaries: dict[str, Any], told: str
) -> None:
    gated({})
    blocks = {
        "ship_gates": {**ship, "harnesses": {"h": HARNESS}},
        "canaries": {**canaries, "tasks": [TASK]},
    }
    path = tmp_path / "book.yaml"
    path.write_text(ARTIFACTS + "\n".join(f"{k}: {json.dumps(v)}" for k, v in blocks.items()))
    if told:
        with pytest.raises(PlaybookError) as caught:
            load(path, ORACLES)
        assert told in str(caught.value)
        return
    book = load(path, ORACLES)
    assert book.ship is not None
    assert book.ship.artifact == ship.get("artifact", "gguf-q4_0")
    assert book.canaries is not None
    assert book.canaries.stages[-1] == book.ship.artifact


def test_canaries_pass_through_the_artifacts_as_declared_up_to_what_ships(
    gated: Read, tmp_path: Path
) -> None:
    gated({})
    blocks = {
        "ship_gates": {"artifact": "gguf-q8_0", "harnesses": {"h": HARNESS}},
        "canaries": {"tasks": [TASK]},
    }
    path = tmp_path / "book.yaml"
    path.write_text(ARTIFACTS + "\n".join(f"{k}: {json.dumps(v)}" for k, v in blocks.items()))
    book = load(path, ORACLES)
    assert book.canaries is not None
    declared = [artifact.key for artifact in book.model.artifacts]
    assert list(book.canaries.stages) == declared[: declared.index("gguf-q8_0") + 1]
    assert len(book.canaries.stages) > 1


def test_a_scenario_may_not_have_the_name_of_a_harness_or_canary(gated: Read) -> None:
    scenarios = [
        {"name": name, "prompt": "1", "oracle": "sum"} for name in ("ship-h", "canary-one", "ship")
    ]
    found = mistakes(gated, {}, canaries={"tasks": [TASK]}, scenarios=scenarios)
    assert len(found) == 2
    assert "'ship-h' is the name of a harness's or canary's case" in found[0]


def test_a_scenario_may_not_have_the_name_of_a_canary_of_a_file(
    gated: Read, tmp_path: Path
) -> None:
    (tmp_path / "tasks.yaml").write_text(json.dumps({"tasks": [TASK]}))
    scenarios = [{"name": f"canary-{TASK['name']}", "prompt": "1", "oracle": "sum"}]
    found = mistakes(gated, {}, canaries={"file": "tasks.yaml"}, scenarios=scenarios)
    assert len(found) == 1
    assert "is the name of a harness's or canary's case" in found[0]


def test_a_file_of_canaries_that_no_system_can_open_is_told(gated: Read) -> None:
    (found,) = mistakes(gated, {}, canaries={"file": "x" * 300})
    assert "canaries.file: cannot be read" in found


def test_a_harness_may_not_take_the_file_of_the_decision(gated: Read, tmp_path: Path) -> None:
    gated({})
    blocks = {"ship_gates": {"harnesses": {"report_final": HARNESS, "h": HARNESS}}}
    path = tmp_path / "book.yaml"
    path.write_text(ARTIFACTS + "\n".join(f"{k}: {json.dumps(v)}" for k, v in blocks.items()))
    with pytest.raises(PlaybookError, match=r"eval_report_final.json holds the decision"):
        load(path, ORACLES)


def test_gates_of_harnesses_and_canaries_can_be_graded(gated: Read) -> None:
    book = gated(
        {}, canaries={"tasks": [TASK]}, gates={"F-SHIP-H": {"severity": "P0"}, "F-CANARY": {}}
    )
    assert book.severities["F-SHIP-H"] == "P0"
    found = mistakes(gated, {}, gates={"F-SHIP-X": {}, "F-CANARY": {}})
    assert len(found) == 2
