"""The parts of `differential_tests`: each gate has a defect that turns it red, and a green twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_modelqa.artifacts.differential import COMPARERS
from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.checks.differential import PARTS, FormatValidation, differential, listed
from pytest_modelqa.core.answer import Finding, Inspection
from pytest_modelqa.core.check import Check
from pytest_modelqa.core.comparison.tensors import StatisticsCompared
from pytest_modelqa.core.model import ArtifactSpec, Cell
from pytest_modelqa.core.request import Inspect
from pytest_modelqa.core.verdict import Outcome, Verdict
from pytest_modelqa.core.wire import decode_answer, encode
from tests.artifacts.stored_models import Weights, gguf_file, hf_folder, weights

CELL = Cell(
    artifact=ArtifactSpec(model="m", format="gguf", quantization="q8_0"),
    backend="cpu",
    modality="run",
    engine="llamacpp",
)
DEFAULTS: dict[str, dict[str, Any]] = {
    "format_validation": {"checks": ["dtype_mapping", "tensor_alignment", "header_integrity"]},
    "tensor_diff": {"filter": None, "tolerance": None},
    "fingerprint": {"tensors": "all", "stats": ["mean", "std", "min", "max", "checksum"]},
    "validate_stats": {
        "tolerance": {"layernorm": 0.001, "embedding": 0.1, "attention": 0.01},
        "reference": None,
    },
}


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hf_folder(tmp_path_factory.mktemp("differential") / "hf", weights())


def asked(check: Check, candidate: Path, reference: Path) -> Verdict:
    """Requests answered as a worker would."""
    ((name, request),) = check.requests(CELL).items()
    answer: Any
    if isinstance(request, Inspect):
        answer = inspect(candidate, "gguf")
    else:
        compare: Any = COMPARERS[type(request)]
        answer = compare(candidate, reference, request)
    assert encode(decode_answer(encode(answer))) == encode(answer)
    return check.judge({name: answer})


def verdicts(part: str, candidate: Path, reference: Path, **changed: Any) -> dict[str, Verdict]:
    """Of all gates of a part, by gate."""
    checks = differential(part, (), DEFAULTS[part] | changed)
    return {c.gate: asked(c, candidate, reference) for c in checks}


def changed(tmp_path: Path, kind: str = "F32", **tensors: Any) -> Path:
    """A file with some tensors replaced; `blk_1_ffn_up` is `blk.1.ffn_up.weight`."""
    held: Weights = dict(weights())
    for name, edit in tensors.items():
        full = next(n for n in held if n.removesuffix(".weight").replace(".", "_") == name)
        held[full] = np.asarray(edit(held[full]), np.float32)
    return gguf_file(tmp_path / "m.gguf", held, kind)


@pytest.mark.parametrize("part", sorted(PARTS))
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0"])
def test_sound_file_passes_every_gate_that_can_decide(
    tmp_path: Path, reference: Path, part: str, kind: str
) -> None:
    found = verdicts(part, gguf_file(tmp_path / "m.gguf", weights(), kind), reference)
    assert found
    for gate, verdict in found.items():
        assert verdict.outcome is Outcome.CORROBORATED, (gate, verdict)
        assert verdict.tested


RED = [
    ("tensor_diff", "F-ROSETTA-DIFF-001", {"blk_1_attn_output": lambda v: v.T.copy()}),
    ("tensor_diff", "F-ROSETTA-DIFF-002", {"blk_1_ffn_up": lambda v: v[:100]}),
    ("tensor_diff", "F-TENSOR-DIFF", {"blk_1_ffn_up": lambda v: v * 1.01}),
    ("fingerprint", "F-ROSETTA-FP-001", {"blk_1_attn_norm": lambda v: v / 0}),
    ("fingerprint", "F-ROSETTA-FP-002", {"blk_1_ffn_up": lambda v: v[::-1]}),
    ("fingerprint", "F-ROSETTA-FP-003", {"blk_1_ffn_up": lambda v: v * 1.1}),
    ("validate_stats", "F-ROSETTA-STATS-001", {"blk_1_attn_norm": lambda v: v + 0.01}),
    ("validate_stats", "F-ROSETTA-STATS-002", {"token_embd": lambda v: v + 0.2}),
    ("validate_stats", "F-ROSETTA-STATS-003", {"blk_1_attn_q": lambda v: v + 0.02}),
    ("validate_stats", "F-ROSETTA-STATS-005", {"blk_1_attn_norm": lambda v: v * 0}),
    ("validate_stats", "F-ROSETTA-STATS-006", {"blk_1_attn_norm": lambda v: v * 0 + v.mean()}),
]


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("part", "gate", "edits"), RED, ids=[r[1] for r in RED])
def test_planted_defect_falsifies_its_gate_by_name(
    tmp_path: Path, reference: Path, part: str, gate: str, edits: dict[str, Any]
) -> None:
    verdict = verdicts(part, changed(tmp_path, **edits), reference)[gate]
    assert verdict.outcome is Outcome.FALSIFIED, verdict
    (name,) = edits
    assert name in verdict.reason.replace(".", "_")


def test_tensor_without_its_twin_falsifies_completeness(tmp_path: Path, reference: Path) -> None:
    held = {n: v for n, v in weights().items() if n != "blk.1.ffn_up.weight"}
    file = gguf_file(tmp_path / "m.gguf", held)
    verdict = verdicts("validate_stats", file, reference)["F-ROSETTA-STATS-004"]
    assert verdict.outcome is Outcome.FALSIFIED
    assert "blk.1.ffn_up.weight: not in the candidate" in verdict.reason


def test_nan_falsifies_every_statistic_that_it_touches(tmp_path: Path, reference: Path) -> None:
    def spoil(values: Any) -> Any:
        values = values.copy()
        values[3] = np.nan
        return values

    file = changed(tmp_path, blk_1_attn_norm=spoil)
    found = {**verdicts("fingerprint", file, reference),
             **verdicts("validate_stats", file, reference),
             **verdicts("tensor_diff", file, reference, tolerance=1e9)}  # fmt: skip
    touched = ("FP-001", "FP-002", "FP-003", "STATS-001", "STATS-005", "STATS-006")
    for gate in (*(f"F-ROSETTA-{t}" for t in touched), "F-TENSOR-DIFF"):
        assert found[gate].outcome is Outcome.FALSIFIED, gate


def test_norms_that_are_not_about_one_are_no_defect(tmp_path: Path) -> None:
    held = {n: v * 4.62 if "norm" in n else v for n, v in weights().items()}
    folder = hf_folder(tmp_path / "hf", held)
    found = verdicts("validate_stats", gguf_file(tmp_path / "m.gguf", held, "Q8_0"), folder)
    assert {v.outcome for v in found.values()} == {Outcome.CORROBORATED}


@pytest.mark.parametrize(("limit", "outcome"), [(0.02, "corroborated"), (1e-4, "falsified")])
def test_tolerance_replaces_the_bound_of_the_type(
    tmp_path: Path, reference: Path, limit: float, outcome: str
) -> None:
    file = gguf_file(tmp_path / "m.gguf", weights(), "Q8_0")
    verdict = verdicts("tensor_diff", file, reference, tolerance=limit)["F-TENSOR-DIFF"]
    assert verdict.outcome.value == outcome


def test_filter_limits_what_is_compared_and_nothing_left_is_no_pass(
    tmp_path: Path, reference: Path
) -> None:
    file = changed(tmp_path, blk_1_ffn_up=lambda v: v * 2)
    some = verdicts("tensor_diff", file, reference, filter="attn_q, attn_k")["F-TENSOR-DIFF"]
    assert (some.outcome, some.tested) == (Outcome.CORROBORATED, 6)
    none = verdicts("tensor_diff", file, reference, filter="nowhere")
    assert {v.outcome for v in none.values()} == {Outcome.INCONCLUSIVE}


def test_rounded_tensors_alone_have_no_digest_to_compare(tmp_path: Path, reference: Path) -> None:
    file = gguf_file(tmp_path / "m.gguf", weights(), "Q8_0")
    found = verdicts("fingerprint", file, reference, tensors="ffn_up")
    assert found["F-ROSETTA-FP-002"].outcome is Outcome.INCONCLUSIVE


def test_nothing_in_common_is_no_pass() -> None:
    empty = StatisticsCompared(tensors=())
    for part in ("fingerprint", "validate_stats"):
        for check in differential(part, (), DEFAULTS[part]):
            outcome = check.judge({"statistics": empty}).outcome
            assert outcome is Outcome.INCONCLUSIVE, check.gate


FINDINGS = [
    ("GGUF-TENSOR-TYPE", "F-APR-FORMAT-001"),
    ("APR-DTYPE", "F-APR-FORMAT-001"),
    ("GGUF-OFFSET", "F-APR-FORMAT-002"),
    ("APR-OVERLAP", "F-APR-FORMAT-002"),
    ("GGUF-VERSION", "F-APR-FORMAT-003"),
    ("APR-CHECKSUM", "F-APR-FORMAT-003"),
]


@pytest.mark.parametrize(("code", "gate"), FINDINGS)
def test_finding_falsifies_the_gate_of_its_subject_alone(code: str, gate: str) -> None:
    seen = Inspection(
        format="gguf", architecture="llama", tensors=1, parameters=1, checked=3, unsafe=True,
        findings=(Finding(code=code, where="blk.0", message="is wrong", offset=8),),
    )  # fmt: skip
    made = list(differential("format_validation", (), DEFAULTS["format_validation"]))
    red = [c.gate for c in made if c.judge({"inspection": seen}).outcome is Outcome.FALSIFIED]
    assert red == [gate]
    assert FormatValidation(gate="F-ROSETTA-FMT-001").judge({"inspection": seen}).outcome.failed


def test_misplaced_tensor_of_a_real_file_falsifies_alignment(tmp_path: Path) -> None:
    from tests.artifacts.made import float_tensors, gguf_bytes

    name = float_tensors()[1][0]
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes(offsets={name: 7}))
    found = verdicts("format_validation", file, file)
    assert found["F-APR-FORMAT-002"].outcome is Outcome.FALSIFIED
    assert found["F-APR-FORMAT-001"].outcome is Outcome.CORROBORATED


def test_playbook_gates_choose_the_claims() -> None:
    chosen = list(differential("fingerprint", ("F-ROSETTA-FP-001",), DEFAULTS["fingerprint"]))
    assert [c.name for c in chosen] == ["fingerprint[F-ROSETTA-FP-001]"]
    one = differential("format_validation", (), {"checks": ["header_integrity"]})
    assert [c.gate for c in one] == ["F-APR-FORMAT-003"]


def test_all_and_nothing_are_no_filter() -> None:
    assert (listed("all"), listed(None), listed(" a , b ")) == ((), (), ("a", "b"))
