"""What the plugin itself costs: idle, collecting, judging, after a crash, and resumed."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.measuring import ROOT, NotMeasured, timed
from benchmarks.ours import command, watched
from benchmarks.table import Line, below, steady

SCRIPTED = """\
version: "1.0"
model:
  id: bench/scripted
  artifacts:
    - {{format: gguf, quantization: f32, source: "file:script.json", engine: scripted}}
test_matrix: {{modalities: [chat], backends: [cpu], formats: [gguf], quantizations: [f32]}}
failure_policy: collect_all
scenarios:
{scenarios}
"""

SOUND = "The answer to this question is Paris, a city on the river Seine."
IDLE_PAIRS = 15


def overhead(items: int, pairs: int = IDLE_PAIRS) -> list[Line]:
    """All five; `items` scenarios are collected and judged."""
    parts: tuple[Callable[[], list[Line]], ...] = (
        lambda: [idle(4 * pairs)],
        lambda: collecting(items, pairs),
        lambda: judging(items),
        lambda: [recovery(max(2, pairs * 3 // 5))],
        lambda: [resumed()],
    )
    lines: list[Line] = []
    for part in parts:
        try:
            lines += part()
        except NotMeasured as error:
            lines.append(Line(what="one of these", value=None, promise=below(0), note=str(error)))
        print(f"  {lines[-1].what}: {lines[-1].value}", file=sys.stderr, flush=True)
    return lines


def scripted(folder: Path, count: int, rules: str = "") -> Path:
    """A playbook of `count` questions to a script, written into `folder`."""
    script = {"text": SOUND, "rules": json.loads(f"[{rules}]")}
    (folder / "script.json").write_text(json.dumps(script), encoding="utf-8")
    lines = [
        f'  - {{name: q{i:05}, prompt: "Question {i}?", oracle: contains, expected: Paris}}'
        for i in range(count)
    ]
    file = folder / "bench.yaml"
    file.write_text(SCRIPTED.format(scenarios="\n".join(lines)), encoding="utf-8")
    return file


_IDLE = """
import contextlib, io, sys, time
import pytest

def run(*more):
    for name in [n for n in sys.modules if n.partition(".")[0] == "pytest_modelqa"]:
        del sys.modules[name]
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main(["-q", "-p", "no:cacheprovider", *more])
    assert code == 0, code
    return 1000 * (time.perf_counter() - start)

run(), run("-p", "no:modelqa")
for turn in range(int(sys.argv[1])):
    with_it, without = (), ("-p", "no:modelqa")
    first, second = (with_it, without) if turn % 2 else (without, with_it)
    taken = {first: run(*first), second: run(*second)}
    print(taken[with_it] - taken[without])
"""


def idle(pairs: int) -> Line:
    """Runs of one empty test with the plugin and with `-p no:modelqa`, in turns.

    In one process, where our modules are imported anew each time: what the interpreter and pytest
    need to start varies by more than the plugin can cost.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        _, text = timed([sys.executable, "-c", _IDLE, pairs], cwd=folder)
    differences = [float(line) for line in text.split()]
    return Line(
        what="installed and unused, of a pytest run",
        value=steady(differences, 30),
        unit="ms",
        promise=below(30),
        note=f"median of {pairs} pairs, {min(differences):.1f} to {max(differences):.1f} ms",
    )


def collecting(items: int, pairs: int) -> list[Line]:
    """`--collect-only` of many scenarios, less that of one; pytest's part is told apart."""
    turns = max(2, pairs * 3 // 5)
    with tempfile.TemporaryDirectory() as name:
        few, many, plain = (Path(name) / part for part in ("few", "many", "plain"))
        for folder in (few, many):
            folder.mkdir()
        one, all_of_them = scripted(few, 1), scripted(many, items)
        test = _empty_tests(plain, items)
        seconds: dict[str, list[float]] = {"one": [], "all": [], "pytest": [], "none": []}
        nothing = plain / "test_nothing.py"
        nothing.write_text("def test_nothing():\n    pass\n")
        for _ in range(turns):
            seconds["one"].append(_collect("--playbook", one))
            seconds["all"].append(_collect("--playbook", all_of_them))
            seconds["none"].append(_collect(nothing))
            seconds["pytest"].append(_collect(test))
        loading = median(_load_seconds(all_of_them) for _ in range(turns))
    reading = 1000 * loading / items
    own = [e - reading for e in _per_item(seconds["all"], seconds["one"], items)]
    theirs = _per_item(seconds["pytest"], seconds["none"], items)
    return [
        Line(
            what="collecting, per item",
            value=steady(own, 0.1),
            unit="ms",
            promise=below(0.1),
            note=f"{items} scenarios, YAML not counted; {min(own):.3f} to {max(own):.3f} ms",
        ),
        Line(what="reading the playbook, per scenario", value=reading, unit="ms"),
        Line(what="pytest's own collecting, per test", value=steady(theirs, 0.1), unit="ms"),
    ]


def _empty_tests(folder: Path, count: int) -> Path:
    folder.mkdir()
    test = folder / "test_many.py"
    test.write_text(
        "import pytest\n\n"
        f"@pytest.mark.parametrize('i', range({count}))\n"
        "def test_one(i):\n    pass\n"
    )
    return test


def _per_item(many: list[float], few: list[float], items: int) -> list[float]:
    """Milliseconds of an item, turn by turn."""
    return [1000 * (a - b) / (items - 1) for a, b in zip(many, few, strict=True)]


def _collect(*what: object) -> float:
    base = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider"]
    place = what[-1]
    assert isinstance(place, Path)
    return timed([*base, *map(str, what)], cwd=place.parent)[0]


def _load_seconds(file: Path) -> float:
    """Seconds that reading and validating the playbook takes, without importing."""
    code = (
        "import sys; from pathlib import Path; from time import perf_counter\n"
        "from pytest_modelqa.checks.oracles import oracle_table\n"
        "from pytest_modelqa.playbook.load import load\n"
        "start = perf_counter(); load(Path(sys.argv[1]), oracle_table())\n"
        "print(perf_counter() - start)"
    )
    return float(timed([sys.executable, "-c", code, file])[1])


def judging(items: int) -> list[Line]:
    """Answers once by the script, then judged again from that evidence."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = scripted(folder, items)
        first, _ = timed(command(file, folder / "first"), cwd=folder)
        again, _ = timed(
            command(file, folder / "again", "--modelqa-resume", str(folder / "first")), cwd=folder
        )
        asked = _workers_started(folder / "again")
        _empty_tests(folder / "plain", items)
        base = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:modelqa"]
        empty, _ = timed([*base, "plain"], cwd=folder)
    return [
        Line(
            what=f"{items} items judged from evidence",
            value=again,
            unit="s",
            promise=below(10.0),
            note=f"the whole command; {asked} workers started",
        ),
        Line(
            what=f"{items} items asked of a script and judged",
            value=first,
            unit="s",
            note="the whole command: pytest, one worker's messages, evidence, reports",
        ),
        Line(
            what=f"{items} empty tests, for comparison",
            value=empty,
            unit="s",
            note="pytest with the plugins that we depend on, without ours",
        ),
    ]


def _workers_started(report: Path) -> int:
    return len(list((report / "logs").glob("*"))) if (report / "logs").is_dir() else 0


def recovery(pairs: int) -> Line:
    """What a segfault adds to a run, seen from outside: its worker is replaced, the rest answered.

    Runs of three questions, of which the second kills its worker or does not, in turns.
    """
    with tempfile.TemporaryDirectory() as name:
        calm, crashing = Path(name) / "calm", Path(name) / "crashing"
        for folder in (calm, crashing):
            folder.mkdir()
        file = scripted(calm, 3)
        deadly = scripted(crashing, 3, '{"match": "Question 1?", "do": "segfault"}')
        added = []
        for turn in range(pairs):
            without, _ = _crashes(file, calm / str(turn))
            seconds, crashes = _crashes(deadly, crashing / str(turn))
            if not crashes:
                raise NotMeasured("no worker died")
            added.append(seconds - without)
    return Line(
        what="a worker's death to the next answer",
        value=steady(added, 0.5),
        unit="s",
        promise=below(1.0),
        note=f"what a segfault adds to a run of a script, which loads no model; {pairs} pairs, "
        f"{min(added):.2f} to {max(added):.2f} s",
    )


def _crashes(file: Path, report: Path) -> tuple[float, int]:
    """Seconds of the command, and how many answers say that their worker crashed."""
    start = perf_counter()
    seen = list(watched(command(file, report), report))
    seconds = perf_counter() - start
    answers = [s.record["answer"] for s in seen if s.record["type"] == "answer"]
    return seconds, sum(answer.get("cause") == "crashed" for answer in answers)


def resumed() -> Line:
    """The playbook of SmolLM2, as shipped, with all its answers in evidence."""
    file = ROOT / "playbooks" / "models" / "smollm2-135m-instruct.yaml"
    with tempfile.TemporaryDirectory() as name:
        first, again = Path(name) / "first", Path(name) / "again"
        for _ in watched(command(file, first), first, cwd=ROOT):
            pass
        start = perf_counter()
        seen = list(watched(command(file, again, "--modelqa-resume", str(first)), again, cwd=ROOT))
        seconds = perf_counter() - start
    answers = [s.record for s in seen if s.record["type"] == "answer"]
    fresh = sum(not record["resumed"] for record in answers)
    return Line(
        what="the playbook of SmolLM2, fully resumed",
        value=seconds if answers and not fresh else None,
        unit="s",
        promise=below(3.0),
        note=f"{len(answers)} answers, {fresh} of them asked again",
    )
