"""The generated sets: the same everywhere, disjoint where they must be, right in content."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from tree_sitter import Language, Node, Parser
from tree_sitter_typescript import language_typescript

from pytest_modelqa.core.errors import UsageError
from training.data import leaks
from training.records import HOLD_OUT, TRAINING_SETS, Record, RecordFile, digest_of, read
from training.synth import GENERATOR, Sets, drawn, generate, sizes, write
from training.synth.diversity import distinct, diversity
from training.synth.draw import Draw, share
from training.synth.tools import TOOLS
from training.synth.words import POOLS, QUALIFIERS, ROLES

SIZE = 1170
PDCA = ("Objective", "Plan", "Do", "Check", "Act")
TRON = ("Trigger", "Response", "Outcome", "Next")


@pytest.fixture(scope="module")
def sets() -> Sets:
    return generate(SIZE, 0)


def records_of(sets: Sets, name: str) -> Sequence[Record]:
    """A training set, and what the hold-out asks of the same kind."""
    own = next(part for part in sets.files if part.name == name).records
    return [*own, *(r for r in sets.hold_out.records if r.metadata["set"] == name)]


def test_sizes_are_the_seeds_at_full_size_and_in_proportion_below() -> None:
    assert sizes(39_000) == {**TRAINING_SETS, HOLD_OUT: 2_000}
    for size in (9, 10, 100, 3_900, 12_345):
        counts = sizes(size)
        assert sum(counts.values()) == size
        assert min(counts.values()) >= 1
    assert sizes(3_900)["style_core"] == pytest.approx(1_200, rel=0.01)


def test_negative_fewer_records_than_sets_is_an_error() -> None:
    with pytest.raises(UsageError, match="nine sets"):
        sizes(8)


def test_the_sets_hold_what_was_asked_for_and_say_that_they_are_synthetic(sets: Sets) -> None:
    assert {p.name: len(p.records) for p in sets.files} == sizes(SIZE)
    for part in sets.files:
        for record in part.records:
            assert record.metadata["synthetic"] is True
            assert record.metadata["generator"] == GENERATOR
            assert "$" not in re.sub(r"\$\{", "", record.prompt), record.prompt


def test_two_processes_with_other_hash_seeds_make_the_same_sets() -> None:
    code = "from training.synth import generate;print([p.sha256 for p in generate(90, 3).files])"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{[p.sha256 for p in generate(90, 3).files]}\n"}


def test_a_larger_size_begins_with_the_records_of_a_smaller_one(sets: Sets) -> None:
    for small, large in zip(generate(90, 0).files, sets.files, strict=True):
        assert large.records[: len(small.records)] == small.records


def test_sets_that_are_counted_are_made_alone_and_begin_as_they_would_among_all(
    sets: Sets,
) -> None:
    chosen = drawn({"guardrails": 5, HOLD_OUT: 3}, 0)
    assert [p.name for p in chosen.train] == ["guardrails"]
    whole = {p.name: p.records for p in sets.files}
    for part in chosen.files:
        assert part.records == whole[part.name][: len(part.records)]
    assert len(chosen.hold_out.records) == 3


def test_another_seed_makes_other_records(sets: Sets) -> None:
    other = generate(SIZE, 1)
    for ours, theirs in zip(sets.files, other.files, strict=True):
        assert ours.sha256 != theirs.sha256


def test_no_set_asks_the_same_twice(sets: Sets) -> None:
    for part in sets.files:
        prompts = Counter(r.prompt for r in part.records)
        assert max(prompts.values()) == 1


def test_templates_of_training_and_hold_out_are_disjoint(sets: Sets) -> None:
    trained = {r.metadata["template"] for p in sets.train for r in p.records}
    held = {r.metadata["template"] for r in sets.hold_out.records}
    assert held
    assert not trained & held


def test_values_of_training_and_hold_out_are_disjoint(sets: Sets) -> None:
    """No name of the hold-out's side is anywhere in training, and the other way round."""
    trained = "\n".join(f"{r.prompt}\n{r.output}" for p in sets.train for r in p.records)
    held = "\n".join(f"{r.prompt}\n{r.output}" for r in sets.hold_out.records)
    names = re.compile(f"({'|'.join(QUALIFIERS)})({'|'.join(ROLES)})")
    assert not set(names.findall(trained)) & set(names.findall(held))
    for pool in ("defect", "goal", "partner", "property", "trouble", "meeting", "role"):
        for value in share(POOLS[pool], "held"):
            assert value not in trained
        for value in share(POOLS[pool], "train"):
            assert value not in held


STRUCTURE = {"- State: in progress.", "- State: in review."}
"""Lines of prose that both sides may have: they name a closed list."""


def test_no_line_of_prose_is_in_training_and_in_the_hold_out(sets: Sets) -> None:
    """Four words and more; code shares its structure, which is what is taught."""

    def lines(records: Sequence[Record]) -> set[str]:
        texts = [re.sub(r"```.*?```", "", f"{r.prompt}\n{r.output}", flags=re.S) for r in records]
        return {x.strip() for text in texts for x in text.splitlines() if len(x.split()) >= 4}

    trained = set().union(*(lines(p.records) for p in sets.train))
    held = lines(sets.hold_out.records)
    assert len(held) > 100
    assert held & trained <= STRUCTURE


def test_a_pool_is_divided_without_rest_and_overlap() -> None:
    for pool in POOLS.values():
        both = (*share(pool, "train"), *share(pool, "held"))
        assert sorted(both) == sorted(pool)
    with pytest.raises(ValueError, match="nothing for the hold-out"):
        share(("a", "b"), "train")


def test_the_hold_out_is_no_leak_of_the_training_sets(sets: Sets) -> None:
    assert leaks(sets.train, sets.hold_out) == ()


def test_slots_keep_their_value_and_take_other_forms() -> None:
    draw = Draw(Random(1), "train", {"colour": ("red", "blue", "green", "white", "black")})
    draw.bind(entity="OrderStore")
    text = draw.fill("$colour $colour ${entity}CLI $entity__kebab $entity__camel $entity__words.")
    first, second, *others = text.split(" ", 2)
    assert first == second
    assert first in ("red", "blue", "green", "white")
    assert others == ["OrderStoreCLI order-store orderStore order store."]


def test_every_pdca_has_its_sections_in_order_both_links_and_tron_in_the_plan(sets: Sets) -> None:
    documents = [r for r in records_of(sets, "process_framework") if "# PDCA" in r.output]
    assert len(documents) > 50
    for record in documents:
        assert re.findall(r"^## (\w+)$", record.output, re.MULTILINE) == list(PDCA)
        days = []
        for word in ("FOLLOWS", "PRECEDES"):
            link = re.search(rf"^{word}: \[(.+?)\]\(\./(.+?)\.pdca\.md\)$", record.output, re.M)
            assert link is not None
            assert link[1] == link[2]
            days.append(link[1][:10])
        assert days[0] < days[1]
        sections = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=\n\n## |\Z)", record.output, re.M | re.S))
        assert all(len(sections[name].split()) >= 6 for name in PDCA)
        assert re.findall(r"^\*\*(\w+):\*\* \S", sections["Plan"], re.M) == list(TRON)


def test_every_decision_has_its_four_parts_in_order(sets: Sets) -> None:
    others = [r for r in records_of(sets, "process_framework") if "# PDCA" not in r.output]
    assert len(others) > 25
    for record in others:
        assert re.findall(r"^\*\*(\w+):\*\* \S", record.output, re.M) == list(TRON)


CODE = ("style_core", "domain_patterns", "domain_representatives", "style_refactor")


@pytest.mark.parametrize("name", CODE)
def test_all_typescript_parses_and_every_class_keeps_the_pattern(sets: Sets, name: str) -> None:
    parser = Parser(Language(language_typescript()))
    blocks = [b for r in records_of(sets, name) for b in code_of(r.output)]
    assert len(blocks) > 20
    for block in blocks:
        tree = parser.parse(block.encode())
        assert not tree.root_node.has_error, block
        for found in classes(tree.root_node):
            assert pattern_broken(found) == "", block


def test_negative_what_style_refactor_gets_to_repair_breaks_the_pattern(sets: Sets) -> None:
    parser = Parser(Language(language_typescript()))
    for record in records_of(sets, "style_refactor"):
        (block,) = code_of(record.input)
        tree = parser.parse(block.encode())
        assert not tree.root_node.has_error, block
        (found,) = classes(tree.root_node)
        assert pattern_broken(found)


def code_of(text: str) -> list[str]:
    return re.findall(r"```typescript\n(.*?)\n```", text, re.DOTALL)


def classes(node: Node) -> list[Node]:
    own = [node] if node.type == "class_declaration" else []
    return own + [found for child in node.children for found in classes(child)]


def pattern_broken(found: Node) -> str:
    """Why a class breaks the empty constructor pattern; empty where it keeps it."""
    body = found.child_by_field_name("body")
    assert body is not None
    methods = {}
    for member in body.named_children:
        if member.type == "public_field_definition" and member.child_by_field_name("value"):
            return "a field has a value"
        if member.type == "method_definition":
            name, block = (member.child_by_field_name(k) for k in ("name", "body"))
            assert name is not None
            assert name.text is not None
            assert block is not None
            assert block.text is not None
            methods[name.text.decode()] = re.sub(r"\s", "", block.text.decode())
    if methods.get("constructor") not in ("{}", "{super();}"):
        return "the constructor is not empty"
    return "" if "this." in methods.get("init", "") else "init() sets nothing up"


def test_every_tool_call_fits_its_tools_schema_in_the_format_that_was_asked_for(sets: Sets) -> None:
    seen: Counter[str] = Counter()
    for record in records_of(sets, "tool_awareness"):
        call = parsed_call(record.output)
        assert ("XML" in record.input) == record.output.startswith("<tool_call>")
        jsonschema.validate(call["arguments"], dict(TOOLS[call["name"]]))
        assert all(value for value in call["arguments"].values())
        seen[call["name"]] += 1
        path = call["arguments"].get("path")
        assert path is None or path in record.instruction
    assert seen.keys() <= TOOLS.keys()
    assert len(seen) >= 6


def parsed_call(text: str) -> dict[str, Any]:
    if not text.startswith("<"):
        made: dict[str, Any] = json.loads(text)
        return made
    root = ElementTree.fromstring(text)
    arguments = {child.tag: child.text for child in root.find("arguments") or ()}
    return {"name": root.findtext("name"), "arguments": arguments}


def test_half_of_the_guardrails_are_refused_and_no_refusal_reads_like_compliance(
    sets: Sets,
) -> None:
    records = records_of(sets, "guardrails")
    refused = [r for r in records if str(r.metadata["template"]).startswith("refuse")]
    assert 0.35 < len(refused) / len(records) < 0.65
    words = re.compile(
        r"can't|won't|have to refuse|must decline|not allowed|I refuse|not able|cannot|will not"
    )
    for record in records:
        assert (words.search(record.output) is not None) == (record in refused), record.output


def test_reports_use_only_what_stands_in_the_notes(sets: Sets) -> None:
    for record in records_of(sets, "reporting_protocol"):
        assert re.findall(r"^## (\w+)$", record.output, re.M) == [
            "Done", "Evidence", "Risks", "Learned", "Next",
        ]  # fmt: skip
        notes = record.input.lower()
        for line in record.output.splitlines():
            if line and not line.startswith(("#", "**")):
                assert line.removeprefix("- ").lower() in notes


def test_diversity_counts_what_is_the_same(sets: Sets) -> None:
    same = Record(instruction="a b c", output="d e f")
    told = diversity([same, same, Record(instruction="a b x", output="d e f")])
    assert (told["duplicate_prompts"], told["duplicate_outputs"]) == (1, 2)
    assert distinct(["a b a b"])["2"] == {"total": 3, "distinct": 2, "share": round(2 / 3, 4)}
    assert distinct([""])["4"] == {"total": 0, "distinct": 0, "share": 0.0}
    for part in sets.files:
        found = diversity(part.records)
        assert found["duplicate_prompts"] == 0
        assert found["templates"] >= min(len(part.records) // 2, 10)


def test_what_is_written_is_read_back_and_the_manifest_is_right(sets: Sets, tmp_path: Path) -> None:
    manifest = write(sets, tmp_path / "data", seed=0)
    assert json.loads((tmp_path / "data" / "manifest.json").read_text()) == manifest
    assert manifest["synthetic"] is True
    for part in sets.files:
        again = read(tmp_path / "data" / f"{part.name}.jsonl", samples=len(part.records))
        assert again.records == part.records
        assert again.sha256 == part.sha256 == manifest["sets"][part.name]["sha256"]
    assert not list((tmp_path / "data").glob(".*"))
    write(sets, tmp_path / "data", seed=0)  # the same again is no change


def test_negative_other_files_are_not_overwritten_unless_told(sets: Sets, tmp_path: Path) -> None:
    mine = tmp_path / "guardrails.jsonl"
    mine.write_text("mine\n")
    with pytest.raises(UsageError, match=r"guardrails\.jsonl"):
        write(sets, tmp_path, seed=0)
    assert mine.read_text() == "mine\n"
    assert list(tmp_path.iterdir()) == [mine]
    write(sets, tmp_path, seed=0, replace=True)
    assert len(read(mine).records) == len(sets.train[5].records)


def test_negative_a_planted_leak_of_a_generated_record_is_found(sets: Sets) -> None:
    planted = sets.hold_out.records[7]
    first = sets.train[0]
    records = (*first.records, planted)
    spoilt = RecordFile(
        name=first.name, where=first.where, records=records, sha256=digest_of(records)
    )
    (leak,) = leaks((spoilt, *sets.train[1:]), sets.hold_out)
    assert (leak.kind, leak.held) == ("same record", "eval.jsonl:8")
    assert leak.trained == f"style_core.jsonl:{len(records)}"
