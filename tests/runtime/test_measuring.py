"""Measurements by name: what is not there is told, and what is no row is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.measuring import Measurement, measure
from pytest_modelqa.core.request import Describe
from pytest_modelqa.runtime.measuring import build_of, measured
from pytest_modelqa.runtime.pace import Pace
from tests.controls.planted_measures import named, site


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "kept": named("survived"),
        "junk": named("junk"),
        "absent": "nosuchmodule:measure",
        "unwilling": f"{__name__}:unwilling",
        "unfit": f"{__name__}:unfit",
    }
    monkeypatch.syspath_prepend(str(site(tmp_path / "site", names)))


def unwilling(artifact: Path, options: object) -> list[dict[str, object]]:
    from pytest_modelqa.core.errors import missing_extra

    raise missing_extra("planting", "nothing", "hf")


def unfit(artifact: Path, options: object) -> list[dict[str, object]]:
    from pytest_modelqa.core.errors import UsageError

    raise UsageError("this model has no chat template", remedy="leave out the target template")


@pytest.mark.usefixtures("planted")
def test_rows_come_back_as_they_were_given() -> None:
    answer = measured(Path("x"), measure("kept", {"faults": "a,b"}))
    assert isinstance(answer, Measurement)
    assert answer.tables == [
        {"name": "a", "outcome": "told", "expected": "told"},
        {"name": "b", "outcome": "told", "expected": "told"},
    ]


def test_a_measurement_that_nobody_registers_is_unavailable_and_the_known_are_named() -> None:
    answer = measured(Path("x"), measure("no_such", {}))
    assert isinstance(answer, Failure)
    assert answer.cause == "unavailable"
    assert "gradients" in answer.reason
    assert answer.remedy.startswith("python -m pip install")


@pytest.mark.usefixtures("planted")
def test_what_cannot_be_imported_or_lacks_an_extra_is_unavailable() -> None:
    for name, said in (("absent", "nosuchmodule"), ("unwilling", "is not installed")):
        answer = measured(Path("x"), measure(name, {}))
        assert isinstance(answer, Failure)
        assert answer.cause == "unavailable"
        assert said in answer.reason
        assert answer.remedy.startswith("python -m pip install")


@pytest.mark.usefixtures("planted")
def test_what_cannot_be_measured_of_this_model_is_unavailable() -> None:
    answer = measured(Path("x"), measure("unfit", {}))
    assert isinstance(answer, Failure)
    assert (answer.cause, answer.reason) == ("unavailable", "this model has no chat template")
    assert answer.remedy == "leave out the target template"


@pytest.mark.usefixtures("planted")
def test_what_is_no_row_is_refused() -> None:
    with pytest.raises(TypeError, match="gave a object as 'outcome'"):
        measured(Path("x"), measure("junk", {}))


@pytest.mark.usefixtures("planted")
def test_the_code_that_measures_is_part_of_the_evidence() -> None:
    assert build_of("kept").startswith("planted-measures 1")
    assert "pytest-modelqa" in build_of("gradients")
    assert build_of("no_such") == "no_such absent"


def test_a_measurement_has_its_budget_beyond_the_time_out() -> None:
    pace = Pace(floor_s=1.0, ceiling_s=5.0, slowest=0.001)
    assert pace.allowance(measure("fuzz", {}, budget_s=60)) == 65
    assert pace.allowance(Describe()) == 5
