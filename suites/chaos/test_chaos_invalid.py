"""Configurations that cannot be: each is refused by our typed error, where and why; none gets on.

Three ways in: the planner (a config.json's values), a training configuration (a file), and a model
folder whose config.json disagrees with its weights (the static reader and the real engine).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from suites.conftest import Record

pytestmark = [pytest.mark.tier2, pytest.mark.edge, pytest.mark.usefixtures("one_thread")]

PLANS = (
    "zero hidden size", "negative layers", "a fraction of a layer", "text for a number",
    "a truth value for a number", "infinite", "no number", "beyond 64 bits", "nothing", "a list",
    "heads that do not divide", "key heads that do not divide", "more key heads than heads",
    "an odd head", "an unknown family", "no family", "tied to nothing",
)  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_the_planner_refuses(name: str, row: Record) -> None:
    from suites.chaos.extremes import ending  # noqa: PLC0415 - imports torch
    from suites.chaos.invalid import INVALID, planned  # noqa: PLC0415

    told = ending(lambda: planned(**INVALID[name]))
    assert told.startswith("typed: ")
    words = " ".join(INVALID[name])
    key = next(iter(INVALID[name]))
    assert key.removeprefix("num_").split("_")[0] in told.replace("dimensions", "head"), words
    row("chaos_invalid", {"where": "planner", "what": name, "told": told.splitlines()[0][7:]})


def test_the_planner_takes_the_healthy_neighbour_and_no_name_was_left_out() -> None:
    from suites.chaos.invalid import INVALID, VALID, planned  # noqa: PLC0415

    assert planned().parameters > 0
    assert set(INVALID) == set(PLANS)
    assert all(set(changed) <= {*VALID, "head_dim", "tie_word_embeddings"}
               for changed in INVALID.values())  # fmt: skip


def test_negative_a_planner_that_accepts_or_falls_over_is_told_apart() -> None:
    from suites.chaos.extremes import ending  # noqa: PLC0415
    from suites.chaos.invalid import planned  # noqa: PLC0415

    assert ending(planned) == "done"
    assert ending(lambda: 1 // 0).startswith("ZeroDivisionError")
    assert ending(lambda: dict[str, int]()["hidden_size"]).startswith("KeyError")


@pytest.mark.parametrize(
    ("keys", "value", "told"),
    [
        (("lora", "r"), 0, "lora.r: "),
        (("lora", "r"), -16, "lora.r: "),
        (("lora", "r"), "16", "lora.r: "),
        (("lora", "dropout"), 1.5, "lora.dropout: "),
        (("lora", "target_modules"), [], "lora.target_modules: "),
        (("training", "learning_rate"), -1e-4, "training.learning_rate: "),
        (("training", "batch_size"), 0, "training.batch_size: "),
        (("training", "batch_size"), 2.5, "training.batch_size: "),
        (("data", "max_length"), -1, "data.max_length: "),
        (("no_such_section",), {}, "no_such_section: "),
    ],
)
def test_a_training_configuration_is_refused_with_its_line(
    keys: tuple[str, ...], value: object, told: str, tmp_path: Path, row: Record
) -> None:
    from suites.chaos.extremes import ending  # noqa: PLC0415
    from training.config.load import SHIPPED, load  # noqa: PLC0415

    healthy = SHIPPED / "ci-light.json"
    assert ending(lambda: load(healthy)) == "done"
    data = json.loads(healthy.read_text())
    section = data
    for key in keys[:-1]:
        section = section.setdefault(key, {})
    section[keys[-1]] = value
    file = tmp_path / "spoilt.json"
    file.write_text(json.dumps(data, indent=1))
    said = ending(lambda: load(file))
    assert said.startswith(f"typed: {file}:")
    assert told in said
    line = int(said.split(":")[2])
    assert keys[-1] in file.read_text().splitlines()[line - 1]
    first = said.splitlines()[0].partition(f"{file}:")[2]
    what = f"{'.'.join(keys)} = {value!r}"
    row("chaos_invalid", {"where": "training", "what": what, "told": f"line {first}"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that is sound, as its reader and its engine say."""
    from pytest_modelqa.artifacts.inspect import inspect  # noqa: PLC0415
    from pytest_modelqa.core.answer import Failure  # noqa: PLC0415
    from suites.chaos.invalid import model_folder, opened  # noqa: PLC0415

    made = model_folder(tmp_path_factory.mktemp("tiny"))
    assert not inspect(made, "safetensors").findings
    assert not isinstance(opened(made), Failure)
    return made


ENGINE_ALONE = ("a family that nobody knows",)
"""What the static reader knows nothing about."""

READER_ALONE = (
    "a rotary base of zero",
    "a rotary base of zero, as transformers 5 writes it",
    "a negative norm epsilon",
    "no positions",
)
"""What transformers 5.23 open without a word: their logits would be NaN, or of no model at all."""

SPOILT = (
    *ENGINE_ALONE, *READER_ALONE, "zero hidden size", "twice the hidden size",
    "negative hidden size", "heads that do not divide", "key heads that do not divide", "no heads",
    "a layer that is not stored", "forty layers", "a vocabulary of a million",
    "a wrong inner size", "text for a number", "a list for a number",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("name", SPOILT)
def test_a_model_whose_configuration_is_wrong_is_refused_by_reader_or_engine(
    name: str, folder: Path, tmp_path: Path, row: Record
) -> None:
    from pytest_modelqa.artifacts.inspect import inspect  # noqa: PLC0415
    from pytest_modelqa.core.answer import Failure  # noqa: PLC0415
    from suites.chaos import invalid  # noqa: PLC0415

    copy = shutil.copytree(folder, tmp_path / "model")
    invalid.spoil(copy, invalid.SPOILT[name])
    found = [f for f in inspect(copy, "safetensors").findings if f.severity == "error"]
    engine = invalid.opened(copy)
    assert bool(found) is (name not in ENGINE_ALONE)
    assert isinstance(engine, Failure) is (name not in READER_ALONE)
    if isinstance(engine, Failure):
        assert engine.cause == "refused"
    told = f"{found[0].code}: {found[0].message}" if found else str(engine)[:90]
    row("chaos_invalid", {"where": "model", "what": name, "told": told})


def test_no_spoilt_configuration_was_left_out() -> None:
    from suites.chaos.invalid import SPOILT as ALL  # noqa: PLC0415

    assert set(ALL) == set(SPOILT)
