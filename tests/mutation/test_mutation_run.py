"""The runner, end to end: real copies, real workers; the baseline decides what counts."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.defects.catalogue import selected
from pytest_modelqa.artifacts.defects.healthy import VARIANTS
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.cli import main
from pytest_modelqa.core.errors import ExitCode, UsageError
from pytest_modelqa.mutation.effect import UNMEASURED
from pytest_modelqa.mutation.run import Mutations
from pytest_modelqa.mutation.subject import bench
from pytest_modelqa.playbook.load import load

BOOK = """\
version: "1.0"
model:
  id: test/tiny
  reference: safetensors-f32
  artifacts:
    - {{format: gguf, quantization: f32, source: "file:{file}"}}
    - {{format: safetensors, quantization: f32, source: "derive:gguf-f32"}}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [gguf]
  quantizations: {{gguf: [f32]}}
limits: {{n_ctx: 512}}
parity:
  parts: [configuration, tensors]
"""


@pytest.fixture
def book(tiny_f32: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    (tmp_path / "copies").mkdir()
    file = tmp_path / "book.yaml"
    file.write_text(BOOK.format(file=tiny_f32))
    return file


def test_defects_are_found_named_and_placed_and_a_healthy_copy_stays_green(
    book: Path, tmp_path: Path
) -> None:
    """Static parts alone: no engine is opened but for the gateways of the unaltered model."""
    made = bench(load(book, oracle_table()), checks=("G0", "parity"))
    mutations = Mutations(made, tmp_path / "out")
    assert ("chat", "G0") in mutations.baseline.green
    assert ("chat", "tensor-parity") in mutations.baseline.green
    chosen = selected(["truncated", "sign-flipped", "norm-epsilon", "softcap"])
    copy = [v for v in VARIANTS if v.name == "tensors-reordered"]
    told: list[str] = []
    outcomes = mutations.judged(chosen, copy, jobs=2, say=lambda o: told.append(o.name))
    by_name = {o.name: o for o in outcomes}
    assert sorted(told) == sorted(by_name)
    assert [o.name for o in outcomes] == [*(d.name for d in chosen), "tensors-reordered"]
    assert by_name["truncated"].checks[0] == "G0"
    assert by_name["truncated"].class_right
    assert by_name["sign-flipped"].cause == "sign"
    assert by_name["sign-flipped"].named_place == "blk.2.attn_output.weight"
    assert by_name["sign-flipped"].place_right
    assert by_name["norm-epsilon"].cause_right
    assert by_name["softcap"].state == "inapplicable"
    assert not by_name["tensors-reordered"].detected
    assert not list((tmp_path / "copies").iterdir())

    again: list[str] = []
    more = Mutations(made, tmp_path / "out").judged(
        chosen, copy, say=lambda o: again.append(o.name)
    )
    assert more == outcomes
    assert len(list((tmp_path / "out").rglob("*.jsonl"))) == 6  # the baseline's twice, for it looks


def test_quick_opens_no_engine_where_the_files_tell_it(book: Path, tmp_path: Path) -> None:
    mutations = Mutations(bench(load(book, oracle_table())), tmp_path / "out", quick=True)
    (outcome,) = mutations.judged(selected(["sign-flipped"]), ())
    assert outcome.cause == "sign"
    assert outcome.effect == UNMEASURED
    assert outcome.counts
    folders = {f.name for f in (tmp_path / "out").glob("*/*") if f.is_dir()}
    assert folders == {"baseline", "sign-flipped-static"}


def test_the_command_prints_the_table_and_writes_json(
    book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.json"
    options = ["--defects", "wrong-magic", "--no-healthy", "--checks", "G0", "--json", str(out)]
    code = main(["mutate", str(book), "--folder", str(tmp_path / "out"), *options])
    printed = capsys.readouterr()
    assert code == ExitCode.OK
    assert "integrity  wrong-magic" in printed.out
    assert "detected            1/1 (100.0 %)" in printed.out
    data = json.loads(out.read_text())
    assert data["schema"] == "modelqa.mutation/1"
    assert data["outcomes"][0]["result"] == "detected"


def test_a_playbook_that_misses_a_defect_fails_and_says_which_check_would_find_it(
    book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--defects", "no-generation-prompt", "--no-healthy", "--checks", "G0,G2"]
    code = main(["mutate", str(book), "--folder", str(tmp_path / "out"), *options])
    printed = capsys.readouterr().out
    assert code == ExitCode.FAILED
    assert "undetected: no-generation-prompt" in printed
    assert "The check for it: template parity" in printed


def test_the_catalogue_is_listed_without_a_run(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mutate", str(book), "--list", "--defects", "class:fine-tuning"]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert "merged-twice" in printed
    assert "apr-round-trip" in printed
    assert "truncated" not in printed


def test_a_wrong_option_is_told_with_what_would_be_right(book: Path) -> None:
    playbook = load(book, oracle_table())
    with pytest.raises(UsageError, match="gguf-q4_k") as error:
        bench(playbook, "gguf-q4_k")
    assert "gguf-f32" in error.value.remedy
    made = bench(playbook, checks=("tensro",))
    with pytest.raises(UsageError, match="tensro") as error:
        Mutations(made, book.parent / "out")
    assert "tensor-parity" in error.value.remedy
    assert main(["mutate", str(book), "--only-healthy", "--defects", "sign"]) == ExitCode.USAGE
