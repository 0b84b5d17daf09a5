"""`modelqa quantize`: what the tensors really are, sizes within bounds, and the retry ladder."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.convert.kinds import target_kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.hashing import cache_root, measured
from pytest_modelqa.artifacts.quantised import Quantised, described, examine, rungs
from pytest_modelqa.cli.quantize import BudgetExceeded, Rung, app
from pytest_modelqa.core.errors import ExitCode, Refused, UsageError


def modelqa(*arguments: str) -> None:
    whole = typer.Typer()
    whole.add_typer(app)

    @whole.callback()
    def _group() -> None: ...

    whole(["quantize", *arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def ci_light() -> Path:
    return built("ci-light", cache_root())


@pytest.fixture(scope="module")
def q4(ci_light: Path) -> Path:
    return convert(ci_light, target_kind("gguf", "q4_k_m"), cache_root()).made.path


@pytest.fixture(scope="module")
def seen(q4: Path) -> Quantised:
    return examine(q4, "q4_k_m")


def test_ci_light_takes_k_quants_whole(seen: Quantised) -> None:
    assert not seen.problem
    assert not seen.fallbacks
    assert not seen.nominal
    assert seen.lowest <= seen.mix.bits_per_weight <= seen.highest
    assert {"Q4_K", "Q6_K", "F32"} == set(described(seen)["tensors"])


@pytest.mark.nightly
def test_smollm2_is_q4_k_m_in_name_only(smollm2: Path) -> None:
    file = convert(smollm2, target_kind("gguf", "q4_k_m"), cache_root()).made.path
    found = examine(file, "q4_k_m")
    assert not found.problem
    assert found.nominal
    assert len(found.fallbacks) > 100
    assert {kind for _, kind in found.fallbacks} <= {"Q5_0", "Q8_0", "F16"}


def test_negative_a_file_that_declares_another_type(q4: Path) -> None:
    assert "declares Q4_K_M, asked for was q5_k_m" in examine(q4, "q5_k_m").problem


def test_negative_bits_out_of_bounds_are_a_problem(seen: Quantised) -> None:
    for bits in (seen.lowest - 0.01, seen.highest + 0.01, math.nan):
        assert (
            "bits per weight" in replace(seen, mix=replace(seen.mix, bits_per_weight=bits)).problem
        )


def test_negative_a_file_smaller_than_its_tensors_is_a_problem(seen: Quantised) -> None:
    assert "cannot hold" in replace(seen, bytes=1000).problem


def test_negative_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(40))
    with pytest.raises(Refused, match="no tensors"):
        examine(file, "q8_0")


def test_the_ladder_goes_up_from_what_was_asked() -> None:
    assert rungs("q4_k_m") == ("q4_k_m", "q5_k_m", "q6_k", "q8_0")
    assert rungs("q6_k") == ("q6_k", "q8_0")
    assert rungs("q8_0") == ("q8_0",)
    assert rungs("q5_0") == ("q5_0", "q6_k", "q8_0")
    assert rungs("q3_k_m") == ("q3_k_m", "q4_k_m", "q5_k_m", "q6_k", "q8_0")


def test_negative_a_divergence_that_is_nan_or_missing_is_never_within(seen: Quantised) -> None:
    made: Any = None
    assert Rung(made=made, seen=seen, kl=0.01, positions=9).holds(0.02)
    assert Rung(made=made, seen=seen).holds(None)
    for kl, positions in ((0.03, 9), (math.nan, 9), (None, 9), (0.0, 0)):
        assert not Rung(made=made, seen=seen, kl=kl, positions=positions).holds(0.02)


@pytest.mark.parametrize("quant", ["f16", "q9_z"])
def test_negative_what_is_no_quantisation_is_a_usage_error(quant: str, ci_light: Path) -> None:
    with pytest.raises(UsageError, match=quant):
        modelqa(str(ci_light), "--quant", quant)


def test_the_command_copies_and_tells(
    ci_light: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "small.gguf"
    modelqa(str(ci_light), "--quant", "q4_k_m", "-o", str(output), "--json", "--keep-intermediate")
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(output)
    assert measured(output) == told["sha256"]
    assert told["bytes"] == output.stat().st_size
    assert [p.name for p in tmp_path.iterdir()] == ["small.gguf"]
    with pytest.raises(UsageError, match="exists already"):
        modelqa(str(ci_light), "-o", str(output))


@pytest.mark.nightly
def test_the_intermediate_file_is_removed_unless_kept(
    ci_light: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path))
    modelqa(str(ci_light), "--quant", "q8_0")
    kept = [p.name[:9] for p in (tmp_path / "derived").iterdir() if p.is_dir()]
    assert kept == ["gguf-q8_0"]


@pytest.mark.nightly
def test_the_ladder_is_climbed_until_the_budget_holds(
    ci_light: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    modelqa(str(ci_light), "--kl-budget", "10", "--keep-intermediate", "--json")
    (only,) = json.loads(capsys.readouterr().out)["tried"]
    assert only["holds"]
    assert only["positions"] > 20
    between = only["kl_mean"] / 2
    modelqa(str(ci_light), "--kl-budget", f"{between}", "--keep-intermediate", "--json")
    tried = json.loads(capsys.readouterr().out)["tried"]
    assert [t["quantization"] for t in tried][:2] == ["q4_k_m", "q5_k_m"]
    assert [t["holds"] for t in tried] == [False] * (len(tried) - 1) + [True]


@pytest.mark.nightly
def test_negative_no_rung_holds(
    ci_light: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "small.gguf"
    with pytest.raises(BudgetExceeded, match="up to q8_0") as raised:
        modelqa(
            str(ci_light), "--quant", "q8_0", "--kl-budget", "1e-12", "-o", str(output),
            "--keep-intermediate",
        )  # fmt: skip
    assert raised.value.exit_code is ExitCode.FAILED
    assert "NOT within" in capsys.readouterr().err
    assert not output.exists()
