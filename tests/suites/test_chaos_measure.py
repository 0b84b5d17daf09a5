"""What a `chaos:` block measures: every fault's outcome on a real model; what it would not miss."""

from __future__ import annotations

import os
import resource
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.checks.numeric import Chaos
from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.errors import OutputError, Unavailable, UsageError
from pytest_modelqa.core.measuring import Measured, MeasuredRow, Measurement, Value
from pytest_modelqa.core.verdict import Outcome, Verdict
from pytest_modelqa.core.wire import encode
from suites.chaos import measure as measuring
from suites.chaos.measure import FAULTS, PROMPTS, Subject, Trial, measure
from suites.chaos.naming import GO, HERE


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


def judged(row: dict[str, Value]) -> Verdict:
    """The verdict on one row of one fault."""
    values = tuple(Measured(name=name, value=value) for name, value in row.items())
    rows = Measurement(rows=(MeasuredRow(values=values),))
    return Chaos(faults=(str(row["name"]),)).judge({"rows": rows})


def test_negative_a_kill_that_never_fell_decides_nothing(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is struck by nothing: the run is a healthy one, just as after a survived kill."""
    monkeypatch.setattr(measuring, "BLOWS", "MODELQA_CHAOS_NOBODY_READS_THIS")
    (row,) = measure(gguf, {"faults": "kill_worker"})
    assert row["outcome"] == measuring.NOBODY_MET
    assert judged(row).outcome is Outcome.INCONCLUSIVE


def test_negative_a_full_disk_that_takes_what_was_written_is_seen(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that gives up all evidence for the line that did not fit."""
    truncate = os.ftruncate
    with monkeypatch.context() as planted:
        planted.setattr(os, "ftruncate", lambda fd, _: truncate(fd, 0))
        (row,) = measure(gguf, {"faults": "disk_full"})
    assert f"damaged; left: no evidence of {PROMPTS[0]!r}" in str(row["outcome"])
    assert judged(row).outcome is Outcome.FALSIFIED


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
         "stopped, evidence damaged; left: answer k"),
        (Trial(answers=(answer(9), None, None), ended="stopped", left=""),
         "stopped, evidence damaged"),
        (Trial(answers=(None, None, None), ended="stopped"), "stopped, evidence damaged"),
        (Trial(answers=HEALTHY.answers, met=False), "nobody met the worker"),
        (Trial(answers=HEALTHY.answers, met=False, left="77 python"),
         "nobody met the worker; left: 77 python"),
    ],
)  # fmt: skip
def test_negative_what_is_lost_changed_or_left_behind_is_told(trial: Trial, told: str) -> None:
    subject = Subject(artifact=Path("m"), folder=Path("f"), victim=1, healthy=HEALTHY)
    assert measuring._told(subject, trial) == told


def answered(prompt: str, *ids: int) -> dict[str, Any]:
    """A line of evidence."""
    body = encode(answer(*ids))
    return {"type": "answer", "key": prompt, "request": {"prompt": prompt}, "answer": body,
            "seconds": 0.5}  # fmt: skip


def test_negative_an_answer_whose_writing_returned_must_be_in_the_evidence() -> None:
    first, second, _ = PROMPTS
    lines = [answered(first, 1)]
    whole = measuring.kept(lines, [first])
    assert whole == Trial(answers=(answer(1), None, None), slowest_s=0.5)
    assert measuring.kept(lines, [first, second]).left == f"no evidence of {second!r}"
    assert measuring.kept([], [first]).left == f"no evidence of {first!r}"
    assert measuring.kept(lines * 2, [first]).left == f"answer {first}"


def test_negative_an_answer_that_was_refused_by_the_disk_did_not_return(tmp_path: Path) -> None:
    first, second, _ = PROMPTS
    store = measuring.Noting(tmp_path, "trial")
    store.write(answered(first, 1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (store.path.stat().st_size + 10, before[1]))
    try:
        with pytest.raises(OutputError):
            store.write(answered(second, 2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.close()
    assert store.returned == [first]


@pytest.mark.parametrize("come", [True, False])
def test_negative_harm_without_a_meeting_is_known_not_to_be_done(
    tmp_path: Path, come: bool
) -> None:
    done: list[int] = []
    subject = Subject(artifact=Path("m"), folder=tmp_path, victim=1)
    if come:
        (tmp_path / HERE).write_text("77")
    with measuring._harming(subject, lambda _, pid: done.append(pid)) as harmed:
        assert harmed.wait(10 if come else 0.05) is come
    assert done == ([77] if come else [])
    assert harmed.is_set() is (tmp_path / GO).exists() is come


def _ended(outcome: str, _: Subject) -> str:
    return outcome


@pytest.mark.parametrize("fault", ["kill_worker", "corrupt_file"])
def test_negative_a_row_without_a_meeting_is_no_pass(
    fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Even where the outcome is the one that is expected, as of `kill_worker` it always is."""
    expected, _ = FAULTS[fault]
    ends = {expected: Outcome.CORROBORATED, measuring.NOBODY_MET: Outcome.INCONCLUSIVE}
    ends[f"{measuring.NOBODY_MET}; left: 77 python"] = Outcome.FALSIFIED
    subject = Subject(artifact=Path("m"), folder=tmp_path, victim=1)
    for outcome, verdict in ends.items():
        monkeypatch.setitem(FAULTS, fault, (expected, partial(_ended, outcome)))
        assert judged(measuring._row(fault, subject)).outcome is verdict
