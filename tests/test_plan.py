"""Playbook to plan: nothing is lost, nothing is invented, ids are unique and stable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.checks.blocks import checks_of
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.check import Severity
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.plan import Plan, absence, estimate, make, planned
from pytest_modelqa.playbook.blocks import (
    PARTS,
    Blocks,
    DifferentialTests,
    Parity,
    TracePayload,
    enabled_blocks,
)
from pytest_modelqa.playbook.gates import PART_GATES, USUAL_GATES
from pytest_modelqa.playbook.load import load
from pytest_modelqa.playbook.measured import Chaos, Fuzz, Gradients, Memory, Training
from tests.conftest import ScriptedPlaybook, scenario

ROOT = Path(__file__).parents[1]


def plan_of(path: Path) -> Plan:
    return make(load(path, oracle_table()))


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks" / "models").glob("*.yaml")), ids=str)
def test_every_committed_playbook_plans_with_unique_ids(path: Path) -> None:
    plan = plan_of(path)
    ids = [case.id for case in plan.cases]
    assert len(ids) == len(set(ids))
    for cell in plan.cells:
        gates = [c.check.gate for c in plan.cases if c.cell == cell and c.is_gateway]
        assert gates == ["G0", "G1", "G2", "G3", "G4"]


def test_a_block_without_checks_is_a_case_that_is_unavailable(scripted: ScriptedPlaybook) -> None:
    plan = plan_of(scripted(extra="profile_ci: {enabled: true}\nchaos: {enabled: false}"))
    (block,) = [case for case in plan.cases if case.cell is None]
    assert block.id == "model::profile_ci"
    verdict = absence(block)
    assert verdict is not None
    assert "not part of this version" in verdict.reason


def test_parity_without_a_reference_is_unavailable(scripted: ScriptedPlaybook) -> None:
    (block,) = [c for c in plan_of(scripted(extra="parity: {}")).cases if c.cell is None]
    verdict = absence(block)
    assert verdict is not None
    assert "no reference" in verdict.reason
    assert "model.reference" in verdict.remedy


def test_parity_with_nothing_but_the_reference_is_unavailable(scripted: ScriptedPlaybook) -> None:
    book = scripted(extra="parity: {reference: gguf-f32}")
    (block,) = [case for case in plan_of(book).cases if case.cell is None]
    verdict = absence(block)
    assert verdict is not None
    assert "besides the reference gguf-f32" in verdict.reason


def test_a_scenario_can_be_asked_in_one_modality_alone(scripted: ScriptedPlaybook) -> None:
    book = scripted(scenario("both", "A?"), scenario("chat_only", "B?", modalities=["chat"]))
    book.write_text(book.read_text().replace("modalities: [chat]", "modalities: [run, chat]", 1))
    ids = [case.id for case in plan_of(book).cases]
    assert "gguf-f32-cpu-chat::chat_only" in ids
    assert "gguf-f32-cpu-run::chat_only" not in ids
    assert "gguf-f32-cpu-run::both" in ids


def test_gateways_are_p0_scenarios_p2_and_the_playbook_may_say_otherwise(
    scripted: ScriptedPlaybook,
) -> None:
    book = scripted(
        scenario("a", "A?", gate="F-A-001"), scenario("b", "B?"),
        extra="gates: {F-A-001: {severity: P0}}",
    )  # fmt: skip
    severity = {case.check.name: case.severity for case in plan_of(book).cases}
    assert severity["G3"] is Severity.P0
    assert severity["a"] is Severity.P0
    assert severity["b"] is Severity.P2


def test_what_the_matrix_asks_and_no_artifact_gives_is_planned_as_unavailable(
    scripted: ScriptedPlaybook,
) -> None:
    book = scripted()
    book.write_text(book.read_text().replace("quantizations: [f32]", "quantizations: [f32, q8_0]"))
    missing = [c for c in plan_of(book).cases if c.scope == "gguf-q8_0-cpu-chat"]
    assert len(missing) == 6
    for case in missing:
        verdict = absence(case)
        assert verdict is not None
        assert "names no file for gguf-q8_0" in verdict.reason


def test_what_can_be_made_of_another_artifact_is_planned_as_derived(
    scripted: ScriptedPlaybook,
) -> None:
    """A script is no model: nothing is made of it (the test above)."""
    book = scripted()
    text = book.read_text().replace(", engine: scripted", "")
    book.write_text(
        text.replace("formats: [gguf]", "formats: [gguf, safetensors, apr]").replace(
            "quantizations: [f32]",
            "quantizations: {gguf: [f32, q8_0], safetensors: [f16], apr: [bf16, q8_0]}",
        )
    )
    sources = {c.artifact.key: c.artifact.source for c in plan_of(book).cells}
    assert sources.pop("gguf-f32").startswith("file:")
    assert sources == {
        "gguf-q8_0": "derive:gguf-f32",
        "safetensors-f16": "derive:gguf-f32",
        "apr-q8_0": "",
        "apr-bf16": "derive:gguf-f32",
    }


def test_an_estimate_counts_a_shared_request_once(scripted: ScriptedPlaybook) -> None:
    same = plan_of(scripted(scenario("a", "Same?"), scenario("b", "Same?")))
    other = plan_of(scripted(scenario("a", "Same?"), scenario("b", "Other?")))
    assert estimate(other).requests == estimate(same).requests + 1
    assert estimate(other).max_new_tokens == estimate(same).max_new_tokens + 32


def test_a_planned_case_is_plain_data(scripted: ScriptedPlaybook) -> None:
    case = planned(plan_of(scripted()).cases[0])
    assert type(case.category) is str
    assert type(case.severity) is str


def deciding() -> dict[str, dict[str, Any]]:
    """The parameters of every block that decides gates, as a playbook without any gives them."""
    parts = DifferentialTests.model_validate({part: {} for part in PARTS})
    doc = Blocks(
        parity=Parity(),
        differential_tests=parts,
        trace_payload=TracePayload(),
        gradients=Gradients(),
        chaos=Chaos(),
        fuzz=Fuzz(),
        memory=Memory(),
        training=Training(),
    )
    return {block.name: dict(block.parameters) for block in enabled_blocks(doc)}


def test_the_gates_that_blocks_decide_are_those_that_a_playbook_may_name() -> None:
    named = {gate for gates in (*USUAL_GATES.values(), *PART_GATES.values()) for gate in gates}
    planned_gates = {
        check.gate for name, part in deciding().items() for check in checks_of(name, (), part)
    }
    assert planned_gates == named - {"F-PARITY-ORDER"}  # which needs two files


@pytest.mark.parametrize("name", sorted(deciding()))
def test_a_block_that_names_a_gate_decides_it(name: str) -> None:
    gates = [check.gate for check in checks_of(name, ("F-MINE-001",), deciding()[name])]
    assert "F-MINE-001" in gates


def test_a_part_whose_gate_is_turned_off_is_not_asked(scripted: ScriptedPlaybook) -> None:
    book = scripted(extra="trace_payload: {}\ngates: {F-TRACE-PAYLOAD-002: {enabled: false}}")
    gates = {case.check.gate for case in plan_of(book).cases}
    assert "F-TRACE-PAYLOAD-001" in gates
    assert "F-TRACE-PAYLOAD-002" not in gates


def test_the_order_of_several_files_is_a_case_of_the_model_that_can_run(
    scripted: ScriptedPlaybook,
) -> None:
    book = scripted(extra="parity: {reference: gguf-f32}")
    text = book.read_text().replace("[f32]", "[f32, q8_0, q4_0]")
    book.write_text(text)
    orders = [c for c in plan_of(book).cases if c.check.gate == "F-PARITY-ORDER"]
    assert [c.id for c in orders] == ["model::parity-order"]
    assert absence(orders[0]) is None


@pytest.mark.parametrize("block", ["gradients", "chaos", "fuzz", "memory"])
def test_a_measurement_is_a_case_of_one_cell_of_each_file(
    scripted: ScriptedPlaybook, block: str
) -> None:
    book = scripted(extra=f"{block}: {{}}")
    text = book.read_text().replace("[f32]", "[f32, q8_0]").replace("[cpu]", "[gpu, cpu]")
    book.write_text(text.replace("modalities: [chat]", "modalities: [run, chat]"))
    cases = [case for case in plan_of(book).cases if case.measurement]
    each = ["gguf-f32-cpu-chat", "gguf-q8_0-cpu-chat"]
    assert [c.scope for c in cases] == (each[:1] if block == "gradients" else each)
    assert {c.check.gate for c in cases} == {f"F-{block.upper()}"}
    assert {c.measurement for c in cases} == {block}


def test_training_is_a_case_of_each_stage_on_the_first_file(scripted: ScriptedPlaybook) -> None:
    book = scripted(extra="training: {quantizations: [f16, q4_k_m]}")
    book.write_text(book.read_text().replace("[f32]", "[f32, q8_0]"))
    cases = [case for case in plan_of(book).cases if case.measurement]
    assert [case.id for case in cases] == [
        f"gguf-f32-cpu-chat::training-{stage}"
        for stage in ("data", "run", "merge", "gguf-f16", "gguf-q4_k_m")
    ]
    assert {case.measurement for case in cases} == {"training"}


def test_what_training_names_is_found_beside_the_playbook_and_told_apart_when_it_changes(
    scripted: ScriptedPlaybook,
) -> None:
    book = scripted(extra="training: {run: runs/one, stages: [run]}")
    folder = book.parent / "runs" / "one"
    folder.mkdir(parents=True)

    def asked() -> tuple[object, object]:
        (check,) = [case.check for case in plan_of(book).cases if case.measurement]
        return getattr(check, "run"), getattr(check, "state")  # noqa: B009 - of a check of its own

    (folder / "run.json").write_text("{}")
    path, before = asked()
    assert path == str(folder)
    assert asked() == (path, before)
    (folder / "run.json").write_text("{ }")
    assert asked()[1] != before


def test_negative_what_training_names_and_is_not_there_is_a_usage_error(
    scripted: ScriptedPlaybook,
) -> None:
    book = scripted(extra="training: {config: nowhere.json}")
    with pytest.raises(UsageError, match="config names what is not there"):
        plan_of(book)
