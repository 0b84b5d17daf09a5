"""Targets that compute: what a kept case holds is what broke, and it breaks again."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suites.fuzz import corpus, parameter_calc, targets
from suites.fuzz.numeric import BATCH, CASE, RAISED, Batch, Numeric, Tally, examine, fuzz, replay
from suites.fuzz.outcome import Failure, Outcome
from suites.fuzz.parameter_calc import WRONG_SIZES
from suites.fuzz.subjects import NumericSubject
from training.memory import Architecture

PLANNER = parameter_calc.TARGET


def case_of(failure: Failure) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(failure.files[CASE])
    return found


def drawn(seed: int, *, wide: bool) -> Batch:
    """The first whole batch of the kind from a seed."""
    source = np.random.default_rng(seed)
    while True:
        batch = PLANNER.draw(source, BATCH)
        if (batch.columns["hidden"].dtype == object) is wide:
            return batch


@pytest.mark.parametrize(("rows", "batches", "least"), [(12, 60, 54), (BATCH, 12, 40)])
def test_wrong_sizes_of_every_name_and_value_are_tried(
    rows: int, batches: int, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Any = Architecture
    tried: set[int] = set()

    def recorded(**sizes: Any) -> object:
        pairs = enumerate(WRONG_SIZES)
        tried.update(at for at, (n, wrong) in pairs if repr(sizes[n]) == repr(wrong))
        return whole(**sizes)

    monkeypatch.setattr(parameter_calc, "Architecture", recorded)
    source, tally = np.random.default_rng(3), Tally()
    for _ in range(batches):
        PLANNER.check(PLANNER.draw(source, rows), tally)
    assert not tally.broken
    assert len(WRONG_SIZES) == 54
    assert len(tried) >= least
    assert {WRONG_SIZES[at][0] for at in tried} == {name for name, _ in WRONG_SIZES}
    assert {repr(WRONG_SIZES[at][1]) for at in tried} == {repr(wrong) for _, wrong in WRONG_SIZES}


@pytest.mark.parametrize("wrong", ["8", 2**63])
def test_negative_control_a_wrong_size_that_is_taken_is_kept_with_its_name(
    wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("training.memory.architecture")
    whole = module.at_least_one

    def careless(name: str, value: object) -> object:
        return value if name == "head_dim" and value == wrong else whole(name, value)

    with monkeypatch.context() as planted:
        planted.setattr(module, "at_least_one", careless)
        (failure,) = fuzz(PLANNER, 40_000, seed=1).failures
        (again,) = replay(PLANNER, case_of(failure))
    assert failure.kind == again.kind == "wrong_sizes_are_refused"
    assert failure.detail == again.detail
    assert f"head_dim={wrong!r}" in failure.detail
    assert not replay(PLANNER, case_of(failure)), "mended code takes its case"


def _seven(batch: Batch, tally: Tally) -> None:
    values = batch.columns["a"]
    tally.equal("itself", batch, values, values)
    if (values == 7).any():
        raise KeyError(f"planted in {len(batch)}")


def _many(batch: Batch, _tally: Tally) -> None:
    if len(batch) > 1:
        raise KeyError("planted")


def _draw(source: np.random.Generator, count: int) -> Batch:
    return Batch(settings={}, columns={"a": source.integers(0, 200, count)})


def test_negative_control_the_row_that_raises_is_the_one_that_is_kept() -> None:
    target = Numeric(name="planted", draw=_draw, check=_seven)
    outcome = fuzz(target, 2 * BATCH, seed=1)
    (failure,) = outcome.failures
    assert (failure.kind, failure.count) == (RAISED, 2)
    assert case_of(failure)["columns"] == {"a": 7}
    assert failure.index > 0
    assert failure.detail == "KeyError: 'planted in 1'"
    assert replay(target, case_of(failure))
    assert not replay(target, {"settings": {}, "columns": {"a": 8}})


def test_negative_control_what_only_a_whole_batch_raises_says_so() -> None:
    (failure,) = fuzz(Numeric(name="planted", draw=_draw, check=_many), 100, seed=1).failures
    assert failure.kind == RAISED
    assert "by 100 rows together, by none alone" in failure.detail


def test_a_batch_in_which_nothing_is_raised_counts_every_row() -> None:
    tally = Tally()
    target = Numeric(name="planted", draw=_draw, check=_seven)
    examine(target, Batch(settings={}, columns={"a": np.arange(5)}), tally)
    assert tally.checked == {RAISED: 5, "itself": 5}
    assert not tally.broken


def test_negative_control_what_a_coverage_guided_run_raises_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> int:
        raise KeyError("planted")

    assert NumericSubject("parameter_calc").once(b"seed") == ([], {})
    monkeypatch.setattr("training.memory.plan.adapter_parameters", broken)
    faults, files = NumericSubject("parameter_calc").once(b"seed")
    assert [(f["kind"], f["detail"]) for f in faults] == [(RAISED, "KeyError: 'planted'")]
    case = json.loads(files[CASE])
    assert {f.kind for f in replay(PLANNER, case)} == {RAISED}
    monkeypatch.undo()
    assert not replay(PLANNER, case)


def test_healthy_code_passes_a_kept_case_whose_products_need_more_than_64_bits() -> None:
    case = drawn(1, wide=True).case(0)
    case["columns"] |= {"hidden": 1 << 30, "inner": 1 << 30, "layers": 500}
    assert not replay(PLANNER, json.loads(json.dumps(case)))


@pytest.mark.parametrize("wide", [False, True])
def test_what_was_drawn_is_replayed_with_the_same_numbers(wide: bool) -> None:
    batch = drawn(2, wide=wide)
    for row in range(0, len(batch), len(batch) // 8):
        case = json.loads(json.dumps(batch.case(row)))
        again = Batch.of(case)
        assert again.case(0) == case
        exact = any(int(column[row]) >= 1 << 16 for column in batch.columns.values())
        assert {c.dtype for c in again.columns.values()} == {np.dtype(object if exact else int)}
        assert not replay(PLANNER, case)


def kept(target: str, case: dict[str, Any], folder: Path) -> None:
    failure = Failure(kind=RAISED, place="value", detail="x", index=0, count=1,
                      files={CASE: json.dumps(case).encode()})  # fmt: skip
    outcome = Outcome(target=target, iterations=1, seed=1, seconds=1.0, checked={"x": 1}, notes={},
                      failures=(failure,))  # fmt: skip
    corpus.keep(outcome, folder)


@pytest.mark.parametrize("target", targets.NUMERIC)
def test_negative_control_a_kept_case_of_each_target_is_replayed(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = import_module(targets.NUMERIC[target]).TARGET
    kept(target, made.draw(np.random.default_rng(1), 3).case(1), tmp_path)
    assert corpus.broken_again(target, tmp_path) == {}

    def broken(_batch: Batch, _tally: Tally) -> None:
        raise KeyError("planted")

    planted = Numeric(name=target, draw=made.draw, check=broken)
    monkeypatch.setattr(f"{targets.NUMERIC[target]}.TARGET", planted)
    ((failure,),) = corpus.broken_again(target, tmp_path).values()
    assert (failure.kind, failure.detail) == (RAISED, "KeyError: 'planted'")


def test_a_target_without_a_kept_case_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(targets.NUMERIC, "tensor_ops", "no_such_module_here")
    assert corpus.broken_again("tensor_ops", tmp_path) == {}
    kept("tensor_ops", {"settings": {}, "columns": {}}, tmp_path)
    with pytest.raises(ModuleNotFoundError):
        corpus.broken_again("tensor_ops", tmp_path)
