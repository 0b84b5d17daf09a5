"""Measurements are of code, not of weights: a mutated copy is not measured unless that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.artifacts.defects.defect import Made
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.check import FailurePolicy
from pytest_modelqa.mutation.subject import bench
from pytest_modelqa.playbook.load import load

BOOK = """\
version: "1.0"
model:
  id: test/tiny
  artifacts:
    - {{format: gguf, quantization: f32, source: "file:{file}"}}
test_matrix: {{modalities: [run], backends: [cpu], formats: [gguf], quantizations: [f32]}}
gradients: {{}}
chaos: {{}}
trace_payload: {{}}
"""


@pytest.mark.parametrize(
    ("checks", "planned"),
    [((), set()), (("gradients",), {"gradients"}), (("trace",), set())],
)
def test_a_copy_is_measured_only_where_that_is_asked(
    checks: tuple[str, ...], planned: set[str], tiny_f32: Path, tmp_path: Path
) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK.format(file=tiny_f32))
    made = Made(path=tiny_f32, format="gguf", quantization="f32")
    plan = bench(load(path, oracle_table()), checks=checks).plan(made, FailurePolicy.COLLECT_ALL)
    assert {case.check.name for case in plan.cases if case.measurement} == planned
    assert plan.cases
