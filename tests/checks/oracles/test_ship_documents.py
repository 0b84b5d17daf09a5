"""The reader of Markdown documents: every line counts, and no text breaks it."""

from __future__ import annotations

from random import Random

import pytest

from pytest_modelqa.checks.oracles import documents
from pytest_modelqa.checks.oracles.pdca_quality import PdcaQuality
from pytest_modelqa.checks.oracles.pdca_schema import PdcaSchema
from pytest_modelqa.checks.oracles.statements import is_action, is_lesson, is_proof
from pytest_modelqa.checks.oracles.tron import Tron
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from tests.checks.oracles.pdca_documents import pdca

pytestmark = pytest.mark.tier1

LINES = pdca().split("\n")
REQUIRED = [i for i, line in enumerate(LINES) if line.startswith(("## ", "FOLLOWS", "PRECEDES"))]
SNIPPETS = (
    "#", "##", " Plan", "Do", "\n", "\n\n", "- ", "[x] ", "[ ] ", "**", "**Trigger:**",
    "Next:", ":", "|", "|-|", "```", "```md\n", "~~~", "> ", "[a](./b.md)", "[a]", "(", "](",
    "<", ">", "<!--", "-->", "\\", "&amp;", "\u00e4", "\U0001f600", "\x00", "\ufffd", "\t",
    "    ", "1. ", "===", "---", "FOLLOWS:", "PRECEDES", "a b c d e", "\u2028", "![", "`", "_",
    "<a href='b'>",
)  # fmt: skip


@pytest.mark.parametrize("at", REQUIRED, ids=lambda at: LINES[at][:12].strip())
def test_ship_pdca_negative_every_required_line_is_required(at: int) -> None:
    text = "\n".join(LINES[:at] + LINES[at + 1 :])
    for oracle in (PdcaSchema(), PdcaQuality()):
        assert oracle.judge("", completion(text)).outcome is Outcome.FALSIFIED


@pytest.mark.parametrize("start", ["**Trigger", "**Response", "**Outcome", "**Next"])
def test_ship_tron_negative_every_part_is_required(start: str) -> None:
    text = "\n".join(line for line in LINES if not line.startswith(start))
    for oracle in (Tron(), PdcaQuality()):
        verdict = oracle.judge("", completion(text))
        assert verdict.outcome is Outcome.FALSIFIED
        assert start.strip("*").lower() in verdict.reason
    assert PdcaSchema().judge("", completion(text)).outcome is Outcome.CORROBORATED


def test_ship_documents_negative_no_text_breaks_the_reader() -> None:
    seed = 20
    rng = Random(seed)
    for case in range(200):
        text = "".join(rng.choice(SNIPPETS) for _ in range(rng.randint(1, 40)))
        for oracle in (PdcaSchema(), PdcaQuality(), Tron()):
            verdict = oracle.judge("", completion(f"x{text}"))
            assert verdict.outcome is Outcome.FALSIFIED, (seed, case, text)


def test_ship_documents_negative_what_is_not_rendered_as_heading_is_none() -> None:
    text = "\\# Plan\n\n    # Do\n\n<!-- # Check -->\n\n`# Act`\n\n####### Objective"
    assert [b.level for b in documents.read(text).blocks if b.level] == []


def test_ship_documents_have_blocks_lines_and_links() -> None:
    text = "# T\n\na [b](c.md)\nd\n\n- [x] e\n- [ ] f\n- g\n\n> h\n\n|i|j|\n|-|-|\n|k|l|\n"
    blocks = documents.read(text).blocks
    kinds = ["heading", "text", "item", "item", "item", "quote", "row", "row"]
    assert [b.kind for b in blocks] == kinds
    assert [b.ticked for b in blocks if b.kind == "item"] == [True, False, None]
    assert [line.text for line in blocks[1].lines] == ["a b", "d"]
    assert [link.target for link in blocks[1].lines[0].links] == ["c.md"]
    assert blocks[-1].text == "k | l"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Plan", "plan"),
        ("2. Plan:", "plan"),
        ("3) PLAN", "plan"),
        ("\u2705 Plan \u2705", "plan"),
        ("Plan  B", "plan b"),
        ("Act (done)", "act (done"),
        ("42", ""),
        ("", ""),
    ],
)
def test_ship_documents_level_names(title: str, name: str) -> None:
    assert documents.named(title) == name


@pytest.mark.parametrize(
    "text",
    [
        "TBD",
        "todo.",
        "- ...",
        "N/A",
        "[what happened]",
        "<plan>",
        "{{plan}}",
        "$plan",
        "None.",
        "to be defined",
        "Lorem ipsum dolor",
        "*TBD*",
        "\u2026",
        "",
        "(your text here)",
        "See above.",
    ],
)
def test_ship_documents_negative_placeholders_are_known(text: str) -> None:
    assert documents.is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "Removed each TODO.",
        "None of the tests fail.",
        "[a] and b",
        "Map<string, number>",
        "$5 saved",
        "Nothing was lost.",
        "x",
        "to be defined by Mara on Monday",
    ],
)
def test_ship_documents_negative_text_is_no_placeholder(text: str) -> None:
    assert not documents.is_placeholder(text)


@pytest.mark.parametrize(
    "said",
    [
        "Worked on the task.",
        "Did it.",
        "Everything was done as planned.",
        "The tests of OrderStore.",
        "Made things better.",
        "TODO",
        "Needed more time for the network.",
        "Tried various things.",
    ],
)
def test_ship_statements_negative_no_action(said: str) -> None:
    assert not is_action(said)


@pytest.mark.parametrize(
    "said",
    [
        "Wrote a scenario.  It restarts OrderStore.",
        "Add tests for OrderStore.",
        "Split parser.ts in two files",
        "The old index was dropped by a script.",
        "Pair-programmed the reader with Mara.",
        "`init()` was extracted from the class",
    ],
)
def test_ship_statements_negative_an_action_is_no_false_alarm(said: str) -> None:
    assert is_action(said)


@pytest.mark.parametrize(
    ("said", "proof", "lesson"),
    [
        ("All 12 tests pass.", True, False),
        ("Mara compared both lists.", True, False),
        ("We are happy.", False, False),
        ("Learned: write first.", False, True),
        ("Nothing was learned this time.", False, False),
        ("From now on each store has a restart test.", True, True),
        ("ok", False, False),
    ],
)
def test_ship_statements_negative_tell_proof_from_lesson(
    said: str, proof: bool, lesson: bool
) -> None:
    assert (is_proof(said, ticked=False), is_lesson(said)) == (proof, lesson)


def test_ship_statements_negative_a_tick_needs_words() -> None:
    assert is_proof("the constructor is empty", ticked=True)
    assert not is_proof("all fine", ticked=True)
