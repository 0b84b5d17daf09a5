"""Real faults in real runs: pytest, its workers and llama.cpp, struck in mid-generation.

Every test states a hypothesis: the steady state (every planned case has one result, every answer
is written once, every case but the victim has the verdict and the answers of an undisturbed run,
no process is left) outlasts the fault, and the victim gets the verdict that it deserves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from suites.chaos.conftest import Timed, placed
from suites.chaos.faults import DEADLINE_S, HARMS, STRUCK, Harmed, Struck, kill
from suites.chaos.launching import BLOWS_OF, VICTIM, WORDS, Bench, running
from suites.chaos.observing import Seen, look, steady

pytestmark = [pytest.mark.tier3, pytest.mark.stab]

MEET = {WORDS: "meet"}
StruckRun = tuple[Seen, str, int]


@pytest.mark.parametrize("fault", HARMS, ids=lambda f: f.name)
def test_harm_in_mid_generation_disturbs_nobody_else(
    fault: Harmed, bench: Bench, undisturbed: Seen, timed: Timed
) -> None:
    out = bench.folder / "out"
    with timed(fault.name, fault.hypothesis) as found:
        with running(bench, out, blows=MEET) as run:
            fault.harm(bench.file, run.met())
            run.wave_on()
            code = run.ended()
            seen = look(out)
            disturbed = steady(seen, undisturbed, fault.victims, run.mark).disturbed
        outcome, reason = seen.verdict(VICTIM)
        found |= {"victim": f"{outcome}: {reason}", "disturbed": disturbed or "nobody"}
    assert not disturbed
    assert outcome == fault.outcome, reason
    assert fault.reason in reason
    assert not any(seen.verdict(case)[0] == "corroborated" for case in fault.victims)
    assert code == (1 if fault.victims else 0)
    killed = any("SIGKILL from outside" in incident for incident in seen.incidents)
    assert killed is ("killed" in fault.name)


def test_a_request_at_which_a_worker_is_killed_twice_is_blamed(
    bench: Bench, undisturbed: Seen, timed: Timed
) -> None:
    hypothesis = "a second kill at the same request is no accident: it is blamed, and nobody else"
    out = bench.folder / "out"
    with timed("worker killed twice", hypothesis) as found:
        with running(bench, out, blows=MEET) as run:
            kill(bench.file, run.met())
            run.forget()
            kill(bench.file, run.met())
            code = run.ended()
            seen = look(out)
            disturbed = steady(seen, undisturbed, [VICTIM], run.mark).disturbed
        outcome, reason = seen.verdict(VICTIM)
        found |= {"victim": f"{outcome}: {reason}", "disturbed": disturbed or "nobody"}
    assert not disturbed
    assert (outcome, code) == ("crashed", 1)
    assert "SIGKILL from outside" in reason


@pytest.fixture(scope="module")
def struck(model: Path, undisturbed: Seen, tmp_path_factory: pytest.TempPathFactory) -> StruckRun:
    """One run on two cores in which every blow falls, each on a prompt of its own."""
    made = placed(model, tmp_path_factory.mktemp("struck"))
    limits = {"request_timeout_s": DEADLINE_S, "request_floor_s": DEADLINE_S, "memory_mb": 8192}
    made = replace(made, limits=limits)
    made.write()
    blows = {words: blow for blow, words in BLOWS_OF.items()}
    with running(made, made.folder / "out", blows=blows, confined={"cores": 2}) as run:
        code = run.ended()
        seen = look(made.folder / "out")
        return seen, steady(seen, undisturbed, BLOWS_OF, run.mark).disturbed, code


@pytest.mark.parametrize("fault", STRUCK, ids=lambda f: f.blow)
def test_a_blow_in_mid_generation_costs_its_request_alone(
    fault: Struck, struck: StruckRun, timed: Timed
) -> None:
    seen, disturbed, code = struck
    with timed(fault.blow, fault.hypothesis) as found:
        outcome, reason = seen.verdict(fault.blow)
        found |= {"victim": f"{outcome}: {reason}", "disturbed": disturbed or "nobody"}
    assert not disturbed
    assert not seen.incidents
    assert code == 1
    assert outcome == fault.outcome, reason
    assert fault.reason in reason


def test_negative_evidence_that_is_lost_twice_there_or_other_is_seen(undisturbed: Seen) -> None:
    """The machinery itself: what the tests above would miss if it were blind."""
    answer, result = undisturbed.answers[0], undisturbed.lines[-2]
    assert result["type"] == "result"
    twice = replace(undisturbed, lines=(*undisturbed.lines, answer))
    assert "duplicated: answer" in steady(twice, undisturbed).disturbed
    again = replace(undisturbed, lines=(*undisturbed.lines, result))
    assert "duplicated: result" in steady(again, undisturbed).disturbed
    gone = replace(undisturbed, lines=tuple(x for x in undisturbed.lines if x is not answer))
    assert "lost: answer" in steady(gone, undisturbed).disturbed
    case = next(iter(undisturbed.results))
    rest = {name: r for name, r in undisturbed.results.items() if name != case}
    assert f"lost: {case}" in steady(replace(undisturbed, results=rest), undisturbed).disturbed
    fewer = tuple(c for c in undisturbed.planned if c != case)
    shrunk = replace(undisturbed, results=rest, planned=fewer)
    assert steady(shrunk, undisturbed).changed == (case,)
    assert steady(undisturbed, shrunk).changed == (case,)
    other = {**answer, "answer": {**answer["answer"], "tensors": 7, "text": "other"}}
    lines = tuple(other if x is answer else x for x in undisturbed.lines)
    assert "changed:" in steady(replace(undisturbed, lines=lines), undisturbed).disturbed
    assert not steady(undisturbed, undisturbed).disturbed
