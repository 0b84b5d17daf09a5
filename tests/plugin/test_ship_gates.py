"""A playbook with several models and ship gates, as pytest runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read
from tests.controls.ship_book import ship_book, wrong
from tests.plugin.conftest import Run

ONE = '{format: gguf, quantization: q8_0, source: "file:q8.json", engine: scripted}'
HEAD = f"""\
version: "1.0"
models:
  base: {{id: test/base, artifacts: [{ONE.replace("q8.json", "f16.json")}]}}
  tuned: {{id: test/tuned, artifacts: [{ONE}]}}
test_matrix: {{modalities: [chat], backends: [cpu], formats: [gguf], quantizations: [q8_0]}}
"""


def models_book(folder: Path, **how: Any) -> Path:
    """The base model answers as `before` says, the tuned one as `rules` say."""
    book = ship_book(folder, head=HEAD, **how)
    book.write_text(book.read_text().replace('["gguf-f16", "gguf-q8_0"]', '["gguf-q8_0"]'))
    return book


def test_without_a_name_the_models_are_listed(qualify: Run, tmp_path: Path) -> None:
    result = qualify(models_book(tmp_path))
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*2 models, and none is chosen*", "*--model NAME, one of: base, t*"]
    )


def test_an_unknown_name_is_a_usage_error(qualify: Run, tmp_path: Path) -> None:
    result = qualify(models_book(tmp_path), "--model", "tunde")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*'tunde' is not a model of this playbook; did you mean 'tuned'*"])


def test_a_harness_may_clear_with_some_answers_wrong(qualify: Run, tmp_path: Path) -> None:
    """No part of it is a failed test: the gate is one item."""
    result = qualify(models_book(tmp_path, rules=wrong(3)), "--model", "tuned", "-v")
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(
        ["*::ship-cities PASSED*", "*::canary-first PASSED*", "*::canary-second PASSED*"]
    )
    result.stdout.no_fnmatch_line("*SUBFAILED*")


def test_ship_negative_one_model_is_blocked_and_the_other_is_not(
    qualify: Run, tmp_path: Path
) -> None:
    book = models_book(tmp_path, before=wrong(3, 4))
    out = tmp_path / "out"
    result = qualify(book, "--model", "base", "-v", "--modelqa-report", str(out))
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["*::ship-cities FAILED*", "falsified: 18 of 20 passed*"])
    (record,) = records(read([out]))
    assert record.run.ship is not None
    assert (record.run.ship.candidate, record.run.ship.artifact) == ("base", "gguf-q8_0")
    assert record.run.model == "test/base"
    assert [p.role for p in record.planned if p.role] == ["ship", "canary", "canary"]
    (gauge,) = [r.verdict.gauge for r in record.results if r.verdict.gauge]
    assert (gauge.passed, gauge.n, gauge.demand.kind) == (18, 20, "ship")
    assert qualify(book, "--model", "tuned").parseoutcomes()["passed"] == 8


def test_ship_negative_a_crash_in_one_harness_does_not_stop_the_others(
    qualify: Run, tmp_path: Path
) -> None:
    book = models_book(tmp_path, rules=[{"match": "number 7?", "do": "segfault"}])
    text = book.read_text()
    gates = json.loads(next(t for t in text.splitlines() if t.startswith("ship_gates"))[12:])
    own = gates["harnesses"]["cities"]
    (tmp_path / "few.jsonl").write_text('{"id": "a", "prompt": "Any city?"}\n')
    gates["harnesses"]["towns"] = {**own, "prompts": "few.jsonl", "kind": "quality"}
    lines = [t for t in text.splitlines() if not t.startswith("ship_gates")]
    book.write_text("\n".join([*lines, f"ship_gates: {json.dumps(gates)}", ""]))
    result = qualify(book, "--model", "tuned", "-v")
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(
        ["*::ship-cities FAILED*", "*::ship-towns PASSED*", "crashed: 1 of 20 answers are missing*"]
    )


def test_a_project_may_have_an_option_of_that_name(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "def pytest_addoption(parser):\n    parser.addoption('--model', default='mine')\n"
    )
    pytester.makepyfile("def test_it(request):\n    assert request.config.option.model == 'x'\n")
    result = pytester.runpytest("--model", "x")
    result.assert_outcomes(passed=1)
