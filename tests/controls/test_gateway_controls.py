"""Negative controls of the gateways, on copies of a real model: each defect turns its gate red.

The untouched copy passes all five: the healthy neighbour. Files are judged the production way,
through worker, engine and evidence; no gateway is asked in isolation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.plan import make
from pytest_modelqa.playbook.load import load
from pytest_modelqa.qualify import Qualifier
from tests import plant

Plant = Callable[[Path, Path], object]

BOOK = """\
version: "1.0"
model:
  id: test/planted
  artifacts:
    - {{format: gguf, quantization: q4_1, source: "file:{file}"}}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [gguf]
  quantizations: [q4_1]
failure_policy: {policy}
limits: {{request_timeout_s: 60, load_timeout_s: 60, n_ctx: 1024}}
"""


class Control(NamedTuple):
    """A planted defect, the outcome that it must lead to, and words of the reason."""

    defect: Plant
    outcome: Outcome
    reason: str


CONTROLS: dict[str, tuple[Control, ...]] = {
    "G0": (
        Control(plant.blown_up_pad_row, Outcome.FALSIFIED, "row 2 is"),
        Control(plant.missing_tensor, Outcome.FALSIFIED, "blk.7.ffn_up"),
        Control(plant.truncated_header, Outcome.FALSIFIED, "TRUNCATED"),
        Control(plant.truncated, Outcome.FALSIFIED, "TRUNCATED"),
        Control(plant.zeroed_norm, Outcome.FALSIFIED, "zero"),
        Control(plant.nan_in_norm, Outcome.FALSIFIED, "finite"),
        Control(plant.config_mismatch, Outcome.FALSIFIED, "block"),
        Control(plant.wrong_magic, Outcome.FALSIFIED, "MAGIC"),
    ),
    "G1": (
        Control(plant.missing_tensor, Outcome.FALSIFIED, "cannot load"),
        Control(plant.unknown_architecture, Outcome.FALSIFIED, "architecture"),
        Control(plant.aborts_native_loader, Outcome.CRASHED, "while loading"),
    ),
    "G2": (
        Control(plant.nan_in_norm, Outcome.FALSIFIED, "NaN"),
        Control(plant.nan_in_block_scale, Outcome.FALSIFIED, "NaN"),
        Control(plant.blown_up_pad_row, Outcome.FALSIFIED, "no visible text"),
    ),
    "G3": (Control(plant.aborts_native_loader, Outcome.CRASHED, "while loading"),),
    "G4": (
        Control(plant.scrambled_layers, Outcome.FALSIFIED, "garbage"),
        Control(plant.blown_up_pad_row, Outcome.FALSIFIED, "no text"),
        Control(plant.nan_in_norm, Outcome.FALSIFIED, "NaN"),
    ),
}

DEFECTS = {c.defect for controls in CONTROLS.values() for c in controls}


def gateways(file: Path, folder: Path, policy: str = "collect_all") -> dict[str, CaseResult]:
    """Judge the five gateways of a file; by gate."""
    book = folder / "planted.yaml"
    book.write_text(BOOK.format(file=file, policy=policy))
    plan = make(load(book, oracle_table()))
    qualifier = Qualifier(plan, folder / "out", run_id="control")
    try:
        return {case.check.gate: qualifier.result(case) for case in plan.cases}
    finally:
        qualifier.close()


@pytest.mark.parametrize("defect", sorted(DEFECTS, key=lambda d: d.__name__))  # type: ignore[attr-defined]
def test_a_planted_defect_turns_its_gates_red(defect: Plant, smollm2: Path, tmp_path: Path) -> None:
    file = tmp_path / "planted.gguf"
    defect(smollm2, file)
    try:
        results = gateways(file, tmp_path)
    finally:
        file.unlink()
    for gate, controls in CONTROLS.items():
        for control in controls:
            if control.defect is defect:
                verdict = results[gate].verdict
                assert verdict.outcome is control.outcome, verdict
                assert control.reason.lower() in (verdict.reason + verdict.detail).lower()


def test_the_untouched_model_passes_every_gateway(smollm2: Path, tmp_path: Path) -> None:
    results = gateways(smollm2, tmp_path)
    assert list(results) == ["G0", "G1", "G2", "G3", "G4"]
    for gate, result in results.items():
        assert result.verdict.outcome is Outcome.CORROBORATED, (gate, result.verdict)


def test_a_wrong_hash_is_refused_before_anything_opens_it(smollm2: Path, tmp_path: Path) -> None:
    book = tmp_path / "planted.yaml"
    text = BOOK.format(file=smollm2, policy="stop_on_p0")
    book.write_text(text.replace('"}', f'", sha256: {"0" * 64}}}', 1))
    plan = make(load(book, oracle_table()))
    qualifier = Qualifier(plan, tmp_path / "out", run_id="control")
    results = [qualifier.result(case) for case in plan.cases]
    qualifier.close()
    assert results[0].verdict.outcome is Outcome.FALSIFIED
    assert "sha256" in results[0].verdict.reason
    assert all("blocked by" in r.verdict.reason for r in results[1:])
    assert not list((tmp_path / "out").glob("logs/*")), "no worker was started"
