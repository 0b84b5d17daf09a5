"""The fuzzing process: what dies, hangs, spins or hoards is blamed on its file, and no more."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from pytest_modelqa.core.errors import ModelQAError
from suites.fuzz import plants
from suites.fuzz.draw import dice
from suites.fuzz.outcome import Outcome
from suites.fuzz.readers import reader
from suites.fuzz.supervise import ProcessFailed, Unfit, fuzz

FILES, SEED = 60, 7


def guilty(count: int = FILES) -> list[int]:
    """The indices whose files meet the planted defect."""
    made = (plants.HEALTHY.mutated(dice("planted", SEED, i))[plants.NAME] for i in range(count))
    return [i for i, data in enumerate(made) if data[0] == 7]


def ran(name: str, **limits: float) -> Outcome:
    return fuzz(f"suites.fuzz.plants:{name}", FILES, SEED, **limits)


def test_a_healthy_reader_is_left_alone() -> None:
    outcome = ran("HEALTHY")
    assert outcome.passed
    assert outcome.iterations == FILES
    assert sum(outcome.notes.values()) == FILES
    assert outcome.checked["bounded_time"] == FILES
    assert guilty()


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        ("CRASH", "raised", "KeyError in plants.py:_crash"),
        ("LIE", "unsound", "planted"),
        pytest.param("SPIN", "slow", "OutOfTime in plants.py:_spin", marks=pytest.mark.nightly),
        ("HOARD", "memory", "MemoryError in plants.py:_hoard"),
        ("DIE", "killed", "SIGSEGV"),
    ],
)
def test_negative_control_a_defect_is_blamed_on_its_file(name: str, kind: str, place: str) -> None:
    outcome = ran(name)
    assert not outcome.passed
    (failure,) = outcome.failures
    assert (failure.kind, failure.place) == (kind, place)
    assert (failure.index, failure.count) == (guilty()[0], len(guilty()))
    assert failure.files[plants.NAME][0] == 7
    assert outcome.iterations == FILES, "the others were read"


def test_negative_control_a_hang_is_killed() -> None:
    outcome = ran("HANG", wall_s=2.0)
    (failure,) = outcome.failures
    assert failure.kind == "hang"
    assert failure.count == len(guilty())
    assert outcome.iterations == FILES


def test_negative_control_memory_that_is_kept_is_seen() -> None:
    outcome = ran("GROW")
    assert {f.kind for f in outcome.failures} == {"memory"}


def test_negative_control_a_file_that_takes_little_more_than_the_one_before_is_seen() -> None:
    guilty_ones = guilty(400)[:4]
    outcome = fuzz("suites.fuzz.plants:CLIMB", guilty_ones[-1] + 1, SEED)
    (failure,) = outcome.failures
    assert (failure.kind, failure.place) == ("memory", "growth")
    assert failure.index == guilty_ones[1], "48 MiB are within the bound, 96 are not"
    assert failure.count == 3
    assert outcome.checked["bounded_memory"] == outcome.iterations


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("REFUSES_ALL", Unfit, "its sound input 0 is refused: healthy"),
        ("BREAKS_ALL", ProcessFailed, "its sound input 0 is raised .KeyError in plants.py:_crash."),
    ],
)
def test_negative_control_a_reader_that_takes_no_sound_input_is_no_pass(
    name: str, kind: type[ModelQAError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        ran(name)
    assert caught.value.remedy


def test_a_run_that_has_no_time_left_says_what_it_did_not_read() -> None:
    outcome = ran("HEALTHY", most_s=0.0)
    assert outcome.iterations == 0
    assert outcome.notes["not read"] == FILES
    assert not outcome.passed, "nothing was checked"


def test_negative_control_a_process_that_cannot_start_is_no_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known_here_alone = ModuleType("fuzz_reader_of_this_process")
    known_here_alone.__dict__["READER"] = plants.HEALTHY
    monkeypatch.setitem(sys.modules, known_here_alone.__name__, known_here_alone)
    with pytest.raises(ProcessFailed, match="before it read a file"):
        fuzz(f"{known_here_alone.__name__}:READER", 3, SEED)


@pytest.mark.parametrize("name", ["gguf", "safetensors", "apr", "playbook", "lockfile", "template"])
def test_the_same_seed_makes_the_same_files(name: str) -> None:
    made = reader(name)
    once = [made.mutated(dice(name, 3, i)) for i in range(20)]
    again = [made.mutated(dice(name, 3, i)) for i in range(20)]
    other = [made.mutated(dice(name, 4, i)) for i in range(20)]
    assert once == again != other
