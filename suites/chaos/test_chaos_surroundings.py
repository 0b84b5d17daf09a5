"""Faults of what a run stands on: disk, cache, clock, other runs, the life of pytest itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from signal import SIGKILL

import pytest

from pytest_modelqa.core.errors import ExitCode
from pytest_modelqa.runtime.protocol import BEAT_S
from suites.chaos.conftest import Timed, placed
from suites.chaos.launching import VICTIM, WORDS, Bench, Running, running
from suites.chaos.naming import CLOCK
from suites.chaos.observing import Seen, changed, duplicated, look, lost, marked, steady

pytestmark = [pytest.mark.tier3, pytest.mark.stab]

MEET = {WORDS: "meet"}
DAY_S = 86_400.0
DISK_BYTES = 64 << 10
"""Room for about half of what a run writes."""

CELLS = (
    '{format: gguf, quantization: f16, source: "file:model.gguf"}',
    '{format: gguf, quantization: q8_0, source: "derive:gguf-f16"}',
)
"""A cell that needs no cache, and one whose file is made in it."""


@pytest.fixture
def cached(bench: Bench) -> Bench:
    """A bench with a cell that depends on the cache."""
    made = replace(bench, artifacts=CELLS)
    made.write()
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two runs at once that found one empty cache; `left` are processes that outlived them."""

    cache: Path
    first: Seen
    second: Seen
    codes: tuple[int, int]
    left: tuple[str, ...]


@pytest.fixture(scope="module")
def pair(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The two runs, on as many cores as they find."""
    made = replace(placed(model, tmp_path_factory.mktemp("pair")), artifacts=CELLS)
    made.write()
    one, two, cache = (made.folder / name for name in ("one", "two", "cache"))
    where, cores = {"MODELQA_CACHE": str(cache)}, {"cores": 2}
    with (
        running(made, one, environment=where, confined=cores) as first,
        running(made, two, environment=where, confined=cores) as second,
    ):
        codes = first.ended(), second.ended()
        left = (*marked(first.mark), *marked(second.mark))
    return Pair(cache=cache, first=look(one), second=look(two), codes=codes, left=left)


def of(cell: str, cases: Iterable[str]) -> list[str]:
    """Those of these cases that are one cell's."""
    return [case for case in cases if case.startswith(f"gguf-{cell}-")]


def outcomes(seen: Seen, cell: str) -> set[str]:
    """The outcomes of one cell's cases."""
    told = seen.outcomes()
    return {told[case] for case in of(cell, told)}


def nobody_left(mark: str) -> bool:
    """Whether all processes of a run end within seconds."""
    deadline = time.monotonic() + 10
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not marked(mark)


def modes(folder: Path, mode: int) -> None:
    """Give a folder and all folders in it these permission bits."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(mode)


def keys(seen: Seen, *, resumed: bool) -> set[str]:
    """The answers that were taken from earlier evidence, or those that were not."""
    return {line["key"] for line in seen.answers if line["resumed"] is resumed}


def test_a_full_disk_ends_the_run_and_keeps_what_was_written(
    bench: Bench, undisturbed: Seen, timed: Timed
) -> None:
    hypothesis = "what was written before the disk was full is whole, and a resumed run goes on"
    disk, kept, out = (bench.folder / name for name in ("disk", "disk.kept", "out"))
    with timed("full disk", hypothesis) as found:
        with running(bench, disk, confined={"disk": [str(disk), DISK_BYTES]}) as run:
            code, said = run.ended(), run.said()
            assert nobody_left(run.mark)
        first = look(kept)
        with running(bench, out, "--modelqa-resume", str(kept)) as again:
            assert again.ended() == ExitCode.OK
            second = look(out)
            disturbed = steady(second, undisturbed, mark=again.mark).disturbed
        found |= {"victim": f"exit code {code}", "disturbed": disturbed or "nobody"}
    assert code == ExitCode.OUTPUT
    assert "cannot write evidence" in said
    assert "Traceback" not in said
    assert first.interrupted
    assert not duplicated(first.lines)
    assert not disturbed
    failed = {a["key"]: a["answer"] for a in first.answers if a["answer"]["kind"] == "Failure"}
    assert all(a["cause"] == "unavailable" for a in failed.values()), "no model is to blame"
    assert keys(second, resumed=True) == keys(first, resumed=False) - set(failed) != set()


def test_a_cache_that_cannot_be_written_costs_what_is_not_in_it_yet(
    cached: Bench, pair: Pair, timed: Timed
) -> None:
    hypothesis = "what needs no cache is judged; what does is named, with a remedy; nothing passes"
    cache, out = cached.folder / "cache", cached.folder / "out"
    cache.mkdir(mode=0o555)
    with timed("read-only cache", hypothesis) as found:
        with running(
            cached, out, environment={"MODELQA_CACHE": str(cache)}, confined={"obey_modes": True}
        ) as run:
            code, said = run.ended(), run.said()
            assert nobody_left(run.mark)
        seen = look(out)
        others = of("f16", pair.first.planned)
        disturbed = ", ".join([*changed(seen, pair.first, others), *duplicated(seen.lines)])
        found |= {"victim": f"exit code {code}", "disturbed": disturbed or "nobody"}
    assert code == ExitCode.OUTPUT
    assert "set MODELQA_CACHE to a folder that can be written" in said
    assert not disturbed
    assert of("f16", seen.planned) == of("f16", seen.results) == others != []
    assert outcomes(seen, "f16") == {"corroborated"}
    assert outcomes(seen, "q8_0") == set()
    assert not list(cache.iterdir())


def test_a_corrupted_cache_falsifies_what_came_out_of_it_alone(
    cached: Bench, pair: Pair, timed: Timed
) -> None:
    hypothesis = "damaged bytes are never judged as the model; memories of hashes are no authority"
    cache = shutil.copytree(pair.cache, cached.folder / "cache")
    sound, spoilt = (cached.folder / name for name in ("sound", "spoilt"))
    where = {"MODELQA_CACHE": str(cache)}
    with timed("corrupted cache", hypothesis) as found:
        modes(cache, 0o555)
        with running(cached, sound, environment=where, confined={"obey_modes": True}) as run:
            assert run.ended() == ExitCode.OK, f"a full cache need not be written: {run.said()}"
        modes(cache, 0o755)
        damage(cache)
        with running(cached, spoilt, environment=where) as run:
            code = run.ended()
            assert nobody_left(run.mark)
        before, after = look(sound), look(spoilt)
        others = of("f16", before.planned)
        disturbed = ", ".join([*changed(after, before, others), *lost(after)])
        found |= {"victim": str(outcomes(after, "q8_0")), "disturbed": disturbed or "nobody"}
    assert code == ExitCode.FAILED
    assert outcomes(after, "q8_0") == {"falsified"}
    assert outcomes(after, "f16") == {"corroborated"}
    assert not disturbed
    assert not duplicated(after.lines)
    assert not steady(before, pair.first).disturbed


def damage(cache: Path) -> None:
    """One bit of the model that was made, and every memory of a hash."""
    (made,) = cache.glob("derived/*/model.gguf")
    data = bytearray(made.read_bytes())
    data[len(data) // 2] ^= 1
    made.write_bytes(data)
    for memory in cache.glob("digests/*.json"):
        memory.write_bytes(b"\0 no JSON {")


def test_two_runs_that_share_a_cache_make_its_content_once(pair: Pair, timed: Timed) -> None:
    hypothesis = "two runs with one empty cache end as one run does, and make each file once"
    with timed("two runs, one cache", hypothesis) as found:
        disturbed = [
            *filter(None, [steady(pair.second, pair.first).disturbed]),
            *filter(None, [steady(pair.first, pair.second).disturbed]),
            *pair.left,
        ]
        found |= {"victim": "none", "disturbed": "; ".join(disturbed) or "nobody"}
    assert not disturbed
    assert pair.codes == (0, 0)
    assert outcomes(pair.first, "q8_0") == outcomes(pair.second, "f16") == {"corroborated"}
    assert len(list(pair.cache.glob("derived/*/model.gguf"))) == 1
    assert not list(pair.cache.rglob("*.part"))


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S], ids=["back", "ahead"])
def test_a_clock_that_jumps_moves_no_deadline_and_no_verdict(
    jump_s: float, bench: Bench, undisturbed: Seen, timed: Timed
) -> None:
    hypothesis = "deadlines do not read the wall clock; a run that ends before it began is a run"
    clock, out, again = (bench.folder / name for name in ("clock", "out", "again"))
    with timed(f"clock jump, {jump_s:+.0f} s", hypothesis) as found:
        with running(bench, out, blows=MEET, confined={"clock": True}) as run:
            codes = [jumped(run, clock, jump_s)]
            seen = look(out)
            first = steady(seen, undisturbed, mark=run.mark)
        clock.write_text(str(-jump_s))
        with running(bench, again, "--modelqa-resume", str(out), confined={"clock": True}) as run:
            codes.append(run.ended())
            resumed = look(again)
            second = steady(resumed, undisturbed, mark=run.mark)
        disturbed = "; ".join(filter(None, (first.disturbed, second.disturbed)))
        found |= {"victim": "none", "disturbed": disturbed or "nobody"}
    assert not disturbed
    assert codes == [0, 0]
    assert abs(lasted_s(seen) - jump_s) < DAY_S / 2, f"{CLOCK} was not obeyed"
    assert not keys(resumed, resumed=False)


def test_negative_a_deadline_on_the_wall_clock_is_seen(bench: Bench, undisturbed: Seen) -> None:
    """The fault above, and the defect that it is there to find: the jump costs the victim."""
    clock, out = bench.folder / "clock", bench.folder / "out"
    planted = "-p", "suites.chaos.impatient"
    with running(bench, out, *planted, blows=MEET, confined={"clock": True}) as run:
        assert jumped(run, clock, DAY_S) == ExitCode.FAILED
    seen = look(out)
    assert seen.verdict(VICTIM)[0] == "timeout"
    assert steady(seen, undisturbed).changed
    assert not steady(seen, undisturbed, [VICTIM]).disturbed, "the others have their own deadlines"


def jumped(run: Running, clock: Path, jump_s: float) -> int:
    """Set the clock in mid-generation; the exit code.

    After a jump ahead the worker waits until it has given a sign of life: then a run looks at its
    deadlines while the request is under way. A jump back only moves them further away.
    """
    run.met()
    clock.write_text(str(jump_s))
    time.sleep(1.5 * BEAT_S if jump_s > 0 else 0)
    run.wave_on()
    return run.ended()


def lasted_s(seen: Seen) -> float:
    """From a run's beginning to its end, as the wall clock had it, in seconds."""
    started, ended = seen.lines[0]["run"]["started"], seen.lines[-1]["ended"]
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def test_a_killed_pytest_goes_on_where_it_was(
    bench: Bench, undisturbed: Seen, timed: Timed
) -> None:
    hypothesis = "kill -9 of pytest loses no answer that was written, and leaves no worker behind"
    out = bench.folder / "out"
    with timed("pytest killed and resumed", hypothesis) as found:
        with running(bench, out, blows=MEET) as run:
            worker = run.met()
            assert any(left.startswith(f"{worker} ") for left in marked(run.mark))
            run.process.send_signal(SIGKILL)
            assert run.ended() == -SIGKILL
            assert nobody_left(run.mark)
        torn = look(out)
        with running(bench, out, "--modelqa-resume", str(out)) as run:
            code = run.ended()
            whole = look(out)
            disturbed = steady(whole, undisturbed, mark=run.mark).disturbed
        found |= {"victim": whole.verdict(VICTIM)[0], "disturbed": disturbed or "nobody"}
    assert code == 0
    assert torn.interrupted
    assert torn.answers
    assert not duplicated(torn.lines)
    assert not disturbed
    assert keys(whole, resumed=True) == keys(torn, resumed=False)
    assert keys(whole, resumed=False).isdisjoint(keys(torn, resumed=False))
