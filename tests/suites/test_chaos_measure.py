"""What a `chaos:` block measures: every fault's outcome on a real model; what it would not miss."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.errors import Unavailable, UsageError
from suites.chaos import measure as measuring
from suites.chaos.measure import FAULTS, Subject, Trial, measure


@pytest.fixture(scope="module")
def gguf() -> Path:
    """ci-light as F16 GGUF, from the cache where it is."""
    from pytest_modelqa.artifacts.build import built
    from pytest_modelqa.artifacts.convert.kinds import Kind
    from pytest_modelqa.artifacts.convert.run import convert
    from pytest_modelqa.artifacts.hashing import cache_root

    cache = cache_root()
    return convert(built("ci-light", cache), Kind("gguf", "f16"), cache).made.path


@pytest.mark.nightly
def test_every_fault_of_a_healthy_runtime_ends_as_expected(gguf: Path) -> None:
    before = dict(os.environ), list(sys.path), gguf.read_bytes()
    rows = measure(gguf, {"faults": ",".join(FAULTS), "seed": 1})
    assert [row["name"] for row in rows] == list(FAULTS)
    assert {row["name"]: row["outcome"] for row in rows} == {
        name: expected for name, (expected, _) in FAULTS.items()
    }
    assert all(isinstance(row["seconds"], float) and row["seconds"] > 0 for row in rows)
    assert (dict(os.environ), list(sys.path), gguf.read_bytes()) == before


@pytest.mark.nightly
def test_negative_a_runtime_that_blames_nobody_ends_otherwise(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the look at the file's state an answer of changed bytes is taken for one of it."""
    from pytest_modelqa.runtime.unchanged import Unchanged

    monkeypatch.setattr(Unchanged, "changed", lambda *_: False)
    (row,) = measure(gguf, {"faults": "corrupt_file"})
    assert row["outcome"] != row["expected"]
    assert "answered otherwise" in str(row["outcome"])


def test_an_unknown_fault_is_a_usage_error(gguf: Path) -> None:
    with pytest.raises(UsageError, match="no fault is called 'flood'"):
        measure(gguf, {"faults": "flood"})


def test_a_file_that_no_engine_opens_is_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"no model")
    with pytest.raises(Unavailable, match="does not answer without any fault"):
        measure(file, {"faults": "kill_worker"})


def answer(*ids: int) -> Generation:
    return Generation(
        prompt_tokens=1, ids=ids, text="", finish="stop", nonfinite_steps=0, special_ids=0,
        prefill_s=0.1, decode_s=0.1,
    )  # fmt: skip


HEALTHY = Trial(answers=(answer(1), answer(2), answer(3)), ended="", left="")
CRASH = Failure(cause="crashed", reason="it died")


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        (HEALTHY, "victim answered, others as before"),
        (Trial(answers=(answer(1), CRASH, answer(3)), ended="", left=""),
         "victim crashed, others as before"),
        (Trial(answers=(answer(1), CRASH, CRASH), ended="", left=""),
         "victim crashed, others as before or crashed"),
        (Trial(answers=(answer(9), CRASH, answer(3)), ended="", left=""),
         "victim crashed, others answered otherwise or as before"),
        (Trial(answers=(answer(1), answer(2), None), ended="", left=""),
         "victim answered, others as before or nothing"),
        (Trial(answers=HEALTHY.answers, ended="", left="77 python"),
         "victim answered, others as before; left: 77 python"),
        (Trial(answers=(answer(1), None, None), ended="stopped", left=""),
         "stopped, evidence whole"),
        (Trial(answers=(answer(1), None, None), ended="stopped", left="answer k"),
         "stopped, evidence damaged"),
        (Trial(answers=(answer(9), None, None), ended="stopped", left=""),
         "stopped, evidence damaged"),
    ],
)  # fmt: skip
def test_negative_what_is_lost_changed_or_left_behind_is_told(trial: Trial, told: str) -> None:
    subject = Subject(artifact=Path("m"), folder=Path("f"), victim=1, healthy=HEALTHY)
    assert measuring._told(subject, trial) == told
