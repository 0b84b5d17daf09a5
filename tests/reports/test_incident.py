"""The incident of a BLOCKED decision: a PDCA by our own oracles, whatever a model said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelqa.checks.oracles.documents import read
from pytest_modelqa.checks.oracles.pdca_quality import PdcaQuality
from pytest_modelqa.checks.shipping.judging import judged as answer_judged
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.shipping import Paired
from pytest_modelqa.core.verdict import Outcome, Verdict, corroborated
from pytest_modelqa.decision.judging import judged
from pytest_modelqa.reports.shipping.beside import Told, folders_of, told
from pytest_modelqa.reports.shipping.causes import Cause, causes
from pytest_modelqa.reports.shipping.ladder import Rung, finer, remedies
from pytest_modelqa.reports.shipping.write import write_decisions
from tests.reports.records import HOSTILE, planned, result
from tests.reports.shipping_records import (
    CELL,
    blocked,
    canary,
    cleared,
    harness,
    hostile_decision,
    lost,
    parts,
    shipping,
)

NAMES = (
    HOSTILE,
    "Trigger: x. Next: y | Outcome - z",
    "FOLLOWS: nothing",
    "# Act",
    "```",
    "[insert name here] TBD {{x}}",
    "](evil)",
)


def incident(folder: Path, record: RunRecord, *beside: Path) -> str:
    sha256 = record.run.playbook_sha256
    paths = write_decisions(folder, [judged(record)], {sha256: beside})
    return paths["incident"].read_text(encoding="utf-8")


def problems(text: str) -> list[str]:
    return list(PdcaQuality().problems(read(text)))


def ladder(record: RunRecord) -> list[Rung]:
    ship = judged(record).ship
    assert ship is not None
    return remedies(record, ship, causes(record), None)


def kinds(found: list[Cause]) -> set[str]:
    return {c.kind for c in found if c.speaks}


@pytest.mark.parametrize(
    "record",
    [
        blocked(),
        hostile_decision(),
        shipping(),
        shipping(harness("a", 94)),
        shipping(harness("a", 100), canary("b", [True, False])),
        shipping(lost("a", Outcome.UNAVAILABLE, "no engine")),
    ],
)
def test_it_is_a_pdca_of_substance(record: RunRecord, tmp_path: Path) -> None:
    assert problems(incident(tmp_path, record)) == []


@pytest.mark.parametrize("text", NAMES)
def test_it_stays_one_whatever_names_and_answers_say(text: str, tmp_path: Path) -> None:
    bad = harness("a", 1, 3)
    said = replace(bad.verdict, reason=text, parts=parts(1, 3, text))
    named = replace(bad, verdict=said, case=replace(bad.case, name=f"ship-{text}"))
    record = shipping(named, canary(text, [True, True, False], answer=text), candidate=text)
    run = replace(record.run, playbook=f"{text}.yaml", model=text)
    assert problems(incident(tmp_path, replace(record, run=run))) == []


def test_it_names_the_gate_its_distance_and_samples_of_what_failed(tmp_path: Path) -> None:
    text = incident(tmp_path, blocked())
    assert "92 of 100 passed, 92 %, 3.00 points below 95 %, lower bound 86.02 %: blocked." in text
    assert "361 answers would decide" in text
    assert "3 of 8 failed answers" in text
    assert "an answer 92" in text
    assert "- [ ] Measured empty_constructor: nothing was measured" in text


def test_it_leads_from_the_last_cleared_run_to_the_next(tmp_path: Path) -> None:
    write_decisions(tmp_path / "before", [judged(cleared())], {})
    text = incident(tmp_path / "now", blocked())
    assert "FOLLOWS: [the cleared run 1a2b3c4d](../before/eval_report_final.json)" in text
    assert "PRECEDES: [the next qualification by this playbook](tiny-chat.yaml)" in text
    assert "gguf-q4_1, sha256 c0ffee000000, cleared by run 1a2b3c4d" in text


def test_a_canary_lost_at_quantisation_speaks_for_less_of_it() -> None:
    record = shipping(harness("a", 100), canary("b", [True, True, True, False]))
    assert kinds(causes(record)) == {"quantisation"}
    rungs = ladder(record)
    assert [r.supported for r in rungs] == [True, False, False]
    assert "add gguf-q5_k_m to the matrix" in rungs[0].text


def test_a_canary_that_no_stage_passes_speaks_for_training() -> None:
    record = shipping(harness("a", 100), canary("b", [False, False, False, False]))
    assert kinds(causes(record)) == {"training"}
    assert [r.supported for r in ladder(record)] == [False, False, True]


def test_a_canary_lost_before_quantisation_blames_the_conversion() -> None:
    record = shipping(harness("a", 100), canary("b", [True, False, False, False]))
    assert kinds(causes(record)) == {"conversion"}


def with_pair(lost_pairs: int, won: int, neither: int, p_value: float) -> RunRecord:
    pair = Paired(both=80, lost=lost_pairs, won=won, neither=neither, p_value=p_value, lower=-0.2)
    return shipping(harness("a", 80, paired=pair))


def test_pairs_with_the_baseline_tell_what_was_lost_from_what_was_never_there() -> None:
    assert kinds(causes(with_pair(12, 0, 8, 0.0005))) == {"quantisation"}
    assert kinds(causes(with_pair(1, 1, 18, 1.0))) == {"training"}
    assert kinds(causes(with_pair(3, 1, 0, 0.6))) == set()


def parity(gate: str, verdict: Verdict) -> CaseResult:
    case = replace(planned("parity-logits", CELL), gate=gate)
    return replace(result(case, Outcome.CORROBORATED), verdict=verdict)


def test_the_kl_of_the_quantised_file_is_quoted_where_the_run_has_it() -> None:
    far = Verdict(outcome=Outcome.FALSIFIED, reason="KL is 0.81 nats, at most 0.05", tested=9)
    near = corroborated("KL is 0.004 nats, at most 0.05", tested=9)
    bad = causes(shipping(harness("a", 80), parity("F-PARITY-LOGITS", far)))
    assert any("KL is 0.81 nats" in c.text and c.speaks for c in bad)
    good = causes(shipping(harness("a", 80), parity("F-PARITY-LOGITS", near)))
    assert any("is within its limits: KL is 0.004 nats" in c.text for c in good)
    assert kinds(good) == set()


def test_a_failed_check_of_training_is_a_cause() -> None:
    leak = Verdict(outcome=Outcome.FALSIFIED, reason="3 records of the hold-out leak", tested=9)
    found = causes(shipping(harness("a", 80), parity("F-TRAINING-DATA", leak)))
    assert any("3 records of the hold-out leak" in c.text for c in found)


def test_what_never_ran_is_repaired_first() -> None:
    record = shipping(harness("a", 100), lost("b", Outcome.TIMEOUT, "no answer within 120 s"))
    assert kinds(causes(record)) == {"run"}
    assert "Make the run complete and repeat it: b." in ladder(record)[0].text


def test_answers_that_were_cut_off_are_counted() -> None:
    """The words are those of the harness's own judgement."""
    cut = Generation(
        prompt_tokens=1, ids=(1, 2), text="## Plan", finish="length", nonfinite_steps=0,
        special_ids=0, prefill_s=0.1, decode_s=0.1,
    )  # fmt: skip
    part = answer_judged(PdcaQuality(), "Write.", cut).part("p000", "Write.")
    made = harness("a", 0, 1)
    made = replace(made, verdict=replace(made.verdict, parts=(part,)))
    assert any("1 answer of 1 were cut off" in c.text for c in causes(shipping(made)))


@pytest.mark.parametrize(
    ("key", "better"),
    [
        ("gguf-q4_k_m", "gguf-q5_k_m"),
        ("gguf-q5_k_m", "gguf-q6_k"),
        ("gguf-q8_0", "gguf-f16"),
        ("gguf-q4_0", "gguf-q5_k_m"),
        ("gguf-f16", ""),
        ("safetensors-f32", ""),
        ("gguf-iq1_s", ""),
    ],
)
def test_the_next_finer_quantisation(key: str, better: str) -> None:
    assert finer(key) == better


def test_the_model_s_folder_tells_of_its_loss_curve_merge_and_leakage(tmp_path: Path) -> None:
    (tmp_path / "training_stats.json").write_text(json.dumps({"steps": 40, "final_loss": 0.5}))
    losses = [{"loss": 2.0}] * 4 + [{"eval_loss": 1}] + [{"loss": 1.0}] * 4
    (tmp_path / "steps.jsonl").write_text("\n".join(json.dumps(line) for line in losses))
    findings = [{"check": "same-tensors", "passed": True}, {"check": "rank", "passed": False}]
    (tmp_path / "merge.json").write_text(json.dumps({"findings": findings}))
    built = {"losses": [1.0] * 8, "leakage": {"tested": 900, "leaked": 2}}
    (tmp_path / "build.json").write_text(json.dumps(built))
    said = told([tmp_path, tmp_path])
    assert [t.is_bad for t in said] == [False, False, True, True, True]
    assert [t.text for t in said] == [
        "Training took 40 steps and ended at a loss of 0.5 (training_stats.json).",
        "The loss fell: 2 in the first quarter, 1 in the last (steps.jsonl).",
        "The merge does not hold rank (merge.json).",
        "The loss did not fall: 1 in the first quarter, 1 in the last (build.json).",
        "Leakage: 2 of 900 records of the hold-out are in the training sets (build.json).",
    ]
    text = incident(tmp_path / "run", blocked(), tmp_path)
    assert "- training: The loss fell: 2 in the first quarter, 1 in the last (steps.jsonl)." in text
    assert problems(text) == []


def test_negative_a_loss_that_is_not_finite_or_does_not_fall_is_said(tmp_path: Path) -> None:
    file = tmp_path / "steps.jsonl"
    file.write_text("\n".join(['{"loss": 1.0}'] * 7 + ['{"loss": NaN}']))
    assert told([tmp_path]) == (
        Told("The loss is not finite in 1 of 8 steps (steps.jsonl).", True),
    )
    file.write_text("\n".join('{"loss": 1.0}' for _ in range(8)))
    assert "did not fall" in told([tmp_path])[0].text
    record = shipping(harness("a", 80))
    assert kinds(causes(record, told([tmp_path]))) == {"training"}
    file.write_text("\n".join(json.dumps({"loss": 8 - i}) for i in range(8)))
    assert kinds(causes(record, told([tmp_path]))) == set()


def test_folders_are_those_of_artifacts_that_are_here_and_two_above(tmp_path: Path) -> None:
    model = tmp_path / "a" / "b" / "model.gguf"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"GGUF")
    here = ArtifactSpec(
        model="test/m", format="gguf", quantization="f16", source="file:a/b/model.gguf"
    )
    absent = ArtifactSpec(model="test/m", format="gguf", quantization="q8_0", source="file:no.gguf")
    found = folders_of([here, absent], tmp_path)
    assert found == (tmp_path / "a" / "b", tmp_path / "a", tmp_path)
    assert folders_of([absent], tmp_path) == ()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"steps": null}', "\x00", '{"findings": [1]}'])
def test_negative_files_that_cannot_be_read_tell_nothing(text: str, tmp_path: Path) -> None:
    for name in ("training_stats.json", "steps.jsonl", "merge.json", "build.json"):
        (tmp_path / name).write_text(text)
    assert told([tmp_path, tmp_path / "absent"]) == ()
