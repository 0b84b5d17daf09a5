"""JUnit XML: valid by the schema, complete, and safe whatever a model said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.decision.judging import judged
from pytest_modelqa.reports.junit import junit_xml
from tests.reports.junit_schema import junit_problems
from tests.reports.records import SHA256, healthy, hostile, mixed, nothing, planned, result
from tests.reports.shipping_records import EVERY


def written(*records: RunRecord) -> str:
    return junit_xml([judged(r) for r in records])


def parsed(*records: RunRecord) -> ElementTree.Element:
    return ElementTree.fromstring(written(*records).encode())


@pytest.mark.parametrize("name", EVERY)
def test_every_sample_is_valid(name: str) -> None:
    assert junit_problems(written(EVERY[name]())) == []


def test_several_playbooks_are_one_valid_document_with_a_suite_each() -> None:
    document = written(healthy(), hostile())
    assert junit_problems(document) == []
    assert [s.get("name") for s in parsed(healthy(), hostile())] == ["tiny-chat", "böök"]


def test_two_versions_of_a_playbook_are_told_apart() -> None:
    newer = replace(healthy(), run=replace(healthy().run, playbook_sha256="cd" * 32))
    assert junit_problems(written(healthy(), newer)) == []
    names = [s.get("name") for s in parsed(healthy(), newer)]
    assert names == ["tiny-chat-abababab", "tiny-chat-cdcdcdcd"]


def test_no_records_are_a_valid_empty_document() -> None:
    assert junit_problems(written()) == []


VALID = """<testsuites><testsuite name="s" tests="1" failures="0" errors="0">
<testcase classname="c" name="n" time="0.1"/></testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tests="1"', 'tests="-1"'),
        ('tests="1"', ""),
        ('time="0.1"', 'time="1e-05"'),
        ('time="0.1"', 'time="nan"'),
        ('name="n"', 'name=""'),
        ('name="n"', ""),
        ('name="n"', 'name="n" mood="good"'),
        ("/></testsuite>", "><flop/></testcase></testsuite>"),
        ("/></testsuite>", "><failure/><error/></testcase></testsuite>"),
        ("/></testsuite>", '/><testcase classname="c" name="n"/></testsuite>'),
        ("testsuites>", "suites>"),
    ],
)
def test_the_schema_refuses_planted_mistakes(old: str, new: str) -> None:
    assert junit_problems(VALID) == []
    assert junit_problems(VALID.replace(old, new)) != []


def test_outcomes_become_their_elements_and_counts() -> None:
    suite = parsed(mixed())[0]
    kinds = {c.get("name", ""): [e.tag for e in c] for c in suite.iter("testcase")}
    cell = "gguf-q4_1-cpu-chat"
    assert kinds[f"{cell}::ask_qual"] == ["failure"]
    assert kinds[f"{cell}::ask_stab"] == ["error"]
    assert kinds[f"{cell}::ask_regr"] == ["skipped"]
    assert kinds[f"{cell}::ask_perf"] == ["skipped"]
    assert kinds[f"{cell}::ask_comp"] == ["skipped"]
    assert kinds[f"{cell}::G1"] == ["system-out"]
    assert [suite.get(k) for k in ("tests", "failures", "errors", "skipped")] == [
        "22", "1", "2", "5",
    ]  # fmt: skip
    assert [e.get("type") for e in suite.iter("error")] == ["crashed", "timeout"]


def test_a_case_that_was_not_run_is_skipped_and_says_so() -> None:
    messages = {e.get("message") for e in parsed(nothing())[0].iter("skipped")}
    assert messages == {"not run: planned, but the run has no result of it"}


def test_names_are_unique_and_classes_are_playbook_and_cell() -> None:
    cases = list(parsed(healthy()).iter("testcase"))
    assert len({c.get("name") for c in cases}) == len(cases) == 22
    assert cases[0].get("classname") == "tiny-chat.gguf-q4_1-cpu-chat"


def test_a_suite_carries_what_a_dashboard_needs() -> None:
    found = {p.get("name"): p.get("value") for p in parsed(mixed()).iter("property")}
    assert found["modelqa.model"] == "example/Tiny-Chat"
    assert found["modelqa.sha256.gguf-q4_1"] == SHA256
    assert found["modelqa.pinned.gguf-q4_1"] == "false"
    assert found["modelqa.score_low"] == "511.66"
    assert found["modelqa.grade"] == "F..B+"
    assert found["modelqa.status"] == "Blocked"
    assert found["modelqa.coverage"] == "17/22"
    assert found["modelqa.version.pytest"] == "9.2.0"


def test_hostile_text_is_quoted_visibly_and_nothing_else_is_lost() -> None:
    root = parsed(hostile())
    failure = next(root.iter("failure"))
    assert '<script>alert(1)</script> & "quotes" ]]>' in (failure.text or "")
    assert r"\x1b[31mred\x1b[0m bell\x07 nul\x00 del\x7f" in (failure.text or "")
    assert r"\ufffe \ud800" in (failure.text or "")
    assert "é 日本語 😀" in (failure.text or "")
    assert "\n" not in (failure.get("message") or "")
    assert next(root.iter("testcase")).get("name") == "gguf-q4_1-cpu-chat::ünïcode<b>"


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(), min_size=1))
def test_any_text_gives_a_valid_document(text: str) -> None:
    bad = result(planned("case"), Outcome.FALSIFIED)
    bad = replace(bad, verdict=replace(bad.verdict, reason=text, detail=text))
    xml = written(replace(healthy(), planned=(), results=(bad,)))
    assert junit_problems(xml) == []
    assert len(list(ElementTree.fromstring(xml.encode()).iter("failure"))) == 1


def test_pytests_own_report_is_valid_by_the_same_schema(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        def test_good(record_property): record_property("modelqa.gate", "G1")
        def test_bad(): assert 0, "bad \\x1b[31m"
        def test_skipped(): pytest.skip("no reason")
        def test_broken(missing): pass
        """
    )
    target = Path("out.xml")
    pytester.runpytest_subprocess("--junitxml", str(target), "-p", "no:modelqa")
    assert junit_problems((pytester.path / target).read_text(encoding="utf-8")) == []
