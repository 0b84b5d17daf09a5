"""Measured blocks, from playbook through worker: planted defects are red, neighbours green."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.plan import make
from pytest_modelqa.playbook.load import load
from pytest_modelqa.qualify import Qualifier
from tests.conftest import ScriptedPlaybook
from tests.controls.planted_measures import named, site

ROOT = Path(__file__).parents[2]

BOOK = """\
version: "1.0"
model:
  id: test/ci-light
  artifacts:
    - {format: safetensors, quantization: f32, source: "build:ci-light"}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [FORMATS]
  quantizations: {QUANTIZATIONS}
BLOCK
"""

Register = Callable[[Mapping[str, str]], None]


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Install a distribution that brings these measurements, by name."""

    def add(measures: Mapping[str, str]) -> None:
        folder = site(tmp_path / "site", measures)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")

    return add


def measured(path: Path) -> dict[str, CaseResult]:
    """The results of the cases that are measurements, by id."""
    plan = make(load(path, oracle_table()))
    qualifier = Qualifier(plan, path.parent / "out", run_id="r1")
    try:
        cases = [case for case in plan.cases if case.measurement]
        qualifier.select(cases)
        return {case.id: qualifier.result(case) for case in cases}
    finally:
        qualifier.close()


def ci_light(folder: Path, block: str = "gradients: {}", **quantizations: str) -> Path:
    lists = (f"{form}: [{name}]" for form, name in quantizations.items())
    text = BOOK.replace("FORMATS", ", ".join(quantizations)).replace("BLOCK", block)
    path = folder / "book.yaml"
    path.write_text(text.replace("QUANTIZATIONS", ", ".join(lists)))
    return path


@pytest.mark.parametrize(
    ("form", "quantization"),
    [("safetensors", "f32"), pytest.param("gguf", "f16", marks=pytest.mark.nightly)],
)
def test_the_gradients_of_ci_light_agree(tmp_path: Path, form: str, quantization: str) -> None:
    (result,) = measured(ci_light(tmp_path, **{form: quantization})).values()
    assert result.case.id == f"{form}-{quantization}-cpu-chat::gradients"
    assert result.verdict.outcome is Outcome.CORROBORATED, result.verdict
    assert result.verdict.tested > 20
    assert result.evidence


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("block", "form", "rows"),
    [
        ("fuzz: {iterations: 50}", "safetensors", 2),
        ("fuzz: {iterations: 50, targets: [template, prompt]}", "gguf", 2),
        ("chaos: {faults: [kill_worker, truncated_file]}", "gguf", 2),
        ("memory: {approaches: [lora]}", "safetensors", 2),
    ],
)
def test_the_other_blocks_corroborate_ci_light(
    tmp_path: Path, block: str, form: str, rows: int
) -> None:
    quantization = {"safetensors": "f32", "gguf": "f16"}[form]
    (result,) = measured(ci_light(tmp_path, block, **{form: quantization})).values()
    assert result.verdict.outcome is Outcome.CORROBORATED, result.verdict
    assert result.verdict.tested == rows


@pytest.mark.parametrize(
    ("planted", "where"),
    [
        ("zero_silu", "mlp.gate_proj"),
        pytest.param("scaled_linear", "layer 0: input", marks=pytest.mark.nightly),
    ],
)
def test_negative_control_a_wrong_backward_turns_the_gradients_of_ci_light_red(
    tmp_path: Path, register: Register, planted: str, where: str
) -> None:
    register({"gradients": named(planted)})
    (result,) = measured(ci_light(tmp_path, safetensors="f32")).values()
    assert result.verdict.outcome is Outcome.FALSIFIED, result.verdict
    assert where in result.verdict.detail


@pytest.mark.parametrize(
    ("measure", "outcome", "reason"),
    [
        ("survived", Outcome.CORROBORATED, "2 faults ended as they should"),
        ("spread", Outcome.FALSIFIED, "ended as 'orphan', expected was 'told'"),
        ("nothing", Outcome.INCONCLUSIVE, "no row"),
        ("raises", Outcome.CRASHED, "the measurement raised LookupError: planted"),
        ("junk", Outcome.CRASHED, "gave a object as 'outcome'"),
        ("dies", Outcome.CRASHED, "SIGSEGV"),
        ("nosuchfunction", Outcome.UNAVAILABLE, "cannot be loaded"),
    ],
)
def test_negative_control_a_measurement_ends_as_it_deserves_and_no_neighbour_suffers(
    scripted: ScriptedPlaybook, register: Register, measure: str, outcome: Outcome, reason: str
) -> None:
    register({"chaos": named(measure), "fuzz": named("nothing")})
    results = measured(scripted(extra="chaos: {faults: [kill_worker, disk_full]}\nfuzz: {}"))
    verdict = results["gguf-f32-cpu-chat::chaos"].verdict
    assert verdict.outcome is outcome, verdict
    assert reason in verdict.reason
    assert results["gguf-f32-cpu-chat::fuzz"].verdict.outcome is Outcome.INCONCLUSIVE
    if outcome is Outcome.UNAVAILABLE:
        assert verdict.remedy.startswith("python -m pip install")


def test_negative_control_one_planted_row_turns_its_block_red(
    scripted: ScriptedPlaybook, register: Register
) -> None:
    blocks = {"gradients": "bad_gradient", "fuzz": "bad_fuzz", "memory": "bad_memory"}
    register({**{block: named(name) for block, name in blocks.items()}, "chaos": named("survived")})
    results = measured(scripted(extra="\n".join(f"{b}: {{}}" for b in (*blocks, "chaos"))))
    found = {r.case.gate: r.verdict.outcome for r in results.values()}
    assert found == {
        "F-GRADIENTS": Outcome.FALSIFIED,
        "F-FUZZ": Outcome.FALSIFIED,
        "F-MEMORY": Outcome.FALSIFIED,
        "F-CHAOS": Outcome.CORROBORATED,
    }


@pytest.mark.parametrize(
    ("measure", "outcome"),
    [("sound_training", Outcome.CORROBORATED), ("bad_training", Outcome.FALSIFIED)],
)
def test_negative_control_a_planted_row_turns_a_stage_of_training_red(
    scripted: ScriptedPlaybook, register: Register, measure: str, outcome: Outcome
) -> None:
    register({"training": named(measure)})
    results = measured(scripted(extra="training: {stages: [data]}"))
    assert {r.case.gate: r.verdict.outcome for r in results.values()} == {
        "F-TRAINING-DATA": outcome
    }


def test_negative_control_a_measurement_that_hangs_is_killed_at_its_deadline(
    scripted: ScriptedPlaybook, register: Register
) -> None:
    register({"chaos": named("hangs")})
    book = scripted(extra="chaos: {max_seconds: 1}")
    book.write_text(book.read_text().replace("request_timeout_s: 5", "request_timeout_s: 1"))
    (result,) = measured(book).values()
    assert result.verdict.outcome is Outcome.TIMEOUT, result.verdict
    assert "no answer within 2 s" in result.verdict.reason
