"""pdca_schema and markdown_sections: near misses that fail, unusual documents that pass."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.checks.oracles.markdown_sections import MarkdownSections
from pytest_modelqa.checks.oracles.pdca_schema import PdcaSchema
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from tests.checks.oracles.pdca_documents import ACT, CHECK, DO, FOLLOWS, PRECEDES, TITLE, TRON, pdca

pytestmark = pytest.mark.tier1

SOUND = pdca()
LINKS = f"{FOLLOWS}\n{PRECEDES}"
NEAR_MISSES = {
    "section-missing": (SOUND.replace(f"## Check\n\n{CHECK}\n\n", ""), "no section check"),
    "section-in-prose": (
        SOUND.replace("## Objective", "The Objective section:"),
        "no section objective",
    ),
    "heading-without-space": (SOUND.replace("## Plan", "##Plan"), "no section plan"),
    "heading-in-bold-only": (SOUND.replace("## Do", "**Do**"), "no section do"),
    "other-word": (SOUND.replace("## Objective", "## Objectives"), "no section objective"),
    "two-in-one-heading": (SOUND.replace("## Act", "## Act and Check again"), "no section act"),
    "wrong-rank": (SOUND.replace("## Check", "### Check"), "no section check"),
    "section-in-a-code-block": (
        SOUND.replace("## Act", "```\n## Act") + "\n```",
        "no section act",
    ),
    "section-in-a-quotation": (SOUND.replace("## Plan", "> ## Plan"), "no section plan"),
    "section-commented-out": (SOUND.replace("## Do", "<!--\n## Do\n-->"), "no section do"),
    "section-twice": (f"{SOUND}\n\n## Do\n\nOnce more.", "more than one section do"),
    "wrong-order": (
        pdca().replace("## Check", "## X").replace("## Act", "## Check").replace("## X", "## Act"),
        "in the order",
    ),
    "empty-section": (pdca(check=""), "check holds 0 words"),
    "section-only-tbd": (pdca(act="TBD"), "act holds 0 words"),
    "section-only-dots": (pdca(do="..."), "do holds 0 words"),
    "links-below-an-empty-section": (f"{pdca(links='', act='')}\n\n{LINKS}", "act holds 0 words"),
    "no-precedes": (pdca(links=FOLLOWS), "no line begins with PRECEDES:"),
    "follows-in-a-sentence": (
        pdca(links=f"This PDCA FOLLOWS: [a](./a.md)\n{PRECEDES}"),
        "no line begins with FOLLOWS:",
    ),
    "follows-in-lower-case": (pdca(links=LINKS.replace("FOLLOWS", "follows")), "FOLLOWS:"),
    "link-in-a-code-block": (
        pdca(links=f"```\n{FOLLOWS}\n```\n\n{PRECEDES}"),
        "no line begins with FOLLOWS:",
    ),
    "link-says-none": (pdca(links=f"FOLLOWS: none\n{PRECEDES}"), "FOLLOWS has no link"),
    "link-without-target": (pdca(links=f"{FOLLOWS}\nPRECEDES: [next]()"), "PRECEDES has no link"),
    "link-with-spaces": (
        pdca(links=f"{FOLLOWS}\nPRECEDES: [next](the next one.md)"),
        "PRECEDES has no link",
    ),
    "reference-without-definition": (
        pdca(links=f"{FOLLOWS}\nPRECEDES: [next][rollout]"),
        "PRECEDES has no link",
    ),
    "table-of-contents-only": (
        f"{TITLE}\n\n{LINKS}\n\n- [Objective](#objective)\n- [Plan](#plan)\n- [Do](#do)\n"
        "- [Check](#check)\n- [Act](#act)",
        "no section objective, plan, do, check, act",
    ),
    "one-line": (" ".join(SOUND.split()), "no section"),
}
RIGHT = {
    "plain": SOUND,
    "after-a-preamble": f"Here is the PDCA you asked for:\n\n{SOUND}",
    "in-a-markdown-fence": f"```markdown\n{SOUND}\n```",
    "fence-with-words-around": f"Sure:\n\n```md\n{SOUND}\n```\n\nShall I go on?",
    "windows-line-ends": SOUND.replace("\n", "\r\n"),
    "underlined-headings": SOUND.replace("## Objective", "Objective\n---").replace(
        "## Check", "Check\n-----"
    ),
    "closed-headings": SOUND.replace("## Objective", "## Objective ##"),
    "numbered-headings": SOUND.replace("## Objective", "## 1. Objective").replace(
        "## Plan", "## 2) Plan"
    ),
    "headings-with-colon": SOUND.replace("## Do", "## Do:").replace("## Check", "## Check: "),
    "bold-headings": SOUND.replace("## Act", "## **Act**"),
    "capital-headings": SOUND.replace("## Objective", "## OBJECTIVE"),
    "symbols-before-names": SOUND.replace("## Plan", "## \u2705 Plan"),
    "third-rank": SOUND.replace("## ", "### "),
    "first-rank-without-title": pdca(title="").replace("## ", "# "),
    "other-sections-between": SOUND.replace("## Do", "## Risks\n\nNone known.\n\n## Do"),
    "subsections": pdca(do=f"### First day\n\n{DO}\n\n### Check of the day\n\nGreen."),
    "links-at-the-end": f"{pdca(links='')}\n\n{LINKS}",
    "links-in-a-list": pdca(links=f"- **{FOLLOWS[:8]}** {FOLLOWS[9:]}\n- {PRECEDES}"),
    "links-in-a-table": pdca(
        links="| Link | To |\n|---|---|\n| PRECEDES | [b](./b.md) |\n| FOLLOWS | [a](./a.md) |"
    ),
    "links-by-reference": pdca(
        links="FOLLOWS: [a][1]\nPRECEDES: [b][2]\n\n[1]: ./a.pdca.md\n[2]: ./b.pdca.md"
    ),
    "bare-paths": pdca(links="FOLLOWS: ./2025/a.pdca.md\nPRECEDES: ../b.pdca.md"),
    "addresses": pdca(
        links="FOLLOWS: <https://docs.team.dev/a>\nPRECEDES: https://docs.team.dev/b.md"
    ),
    "arrows": pdca(links="FOLLOWS \u2192 [a](./a.md)\n\nPRECEDES -> [b](./b.md)"),
    "two-predecessors": pdca(links=f"{FOLLOWS}, [another](./other.pdca.md)\n{PRECEDES}"),
    "deeds-as-code": pdca(do="```sh\nnpx vitest run\n```"),
    "words-of-another-script": pdca(
        objective="\u0417\u0430\u043a\u0430\u0437\u044b \u0446\u0435\u043b\u044b."
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_ship_pdca_schema_negative_near_miss(name: str) -> None:
    text, said = NEAR_MISSES[name]
    verdict = PdcaSchema().judge("", completion(text))
    assert verdict.outcome is Outcome.FALSIFIED, verdict.reason
    assert said in verdict.reason


@pytest.mark.parametrize("name", RIGHT)
def test_ship_pdca_schema_unusual_but_right_is_no_negative(name: str) -> None:
    verdict = PdcaSchema().judge("", completion(RIGHT[name]))
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


def test_ship_pdca_schema_negative_cut_off_is_never_right() -> None:
    verdict = PdcaSchema().judge("", completion(SOUND, finish="length"))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "cut off" in verdict.reason


def test_ship_pdca_schema_negative_names_every_problem() -> None:
    verdict = PdcaSchema().judge("", completion(pdca(links="", act="TODO")))
    for said in ("act holds 0 words", "FOLLOWS", "PRECEDES"):
        assert said in verdict.reason


NOTE = (
    "# Release 4\n\n## Added\n\nAn export to CSV.\n\n"
    "## Fixed\n\nA lost update.\n\nSEE: [log](./log.md)"
)
FORM: dict[str, Any] = {"sections": ("Added", "Fixed"), "links": ("SEE",), "min_words": 3}
NOTE_MISSES = {
    "missing": NOTE.replace("## Fixed", "Fixed"),
    "in-a-fence": f"```\n{NOTE}\n```",
    "in-a-python-fence": f"```python\n{NOTE}\n```",
    "in-two-fences": f"```markdown\n{NOTE}\n```\n\n```markdown\nmore\n```",
    "too-short": NOTE.replace("A lost update.", "Updates."),
    "one-word-thrice": NOTE.replace("A lost update.", "bug bug bug"),
    "placeholder": NOTE.replace("A lost update.", "[describe what was fixed]"),
    "to-be-added": NOTE.replace("A lost update.", "To be added."),
    "wrong-order": "# R\n\n## Fixed\n\na b c\n\n## Added\n\nd e f\n\nSEE: [log](./log.md)",
    "twice": f"{NOTE}\n\n## Added\n\nOne more thing.",
    "no-link": NOTE.replace("[log](./log.md)", "the log"),
    "label-inside": NOTE.replace("SEE:", "Please SEE:"),
    "label-continued": NOTE.replace("SEE:", "SEEN:"),
    "different-ranks": NOTE.replace("## Fixed", "# Fixed"),
}
NOTE_RIGHT = {
    "plain": NOTE,
    "numbered": NOTE.replace("## Added", "## 1. Added"),
    "emphasised": NOTE.replace("## Added", "## _Added_"),
    "list": NOTE.replace("A lost update.", "- A lost update\n- a leak"),
    "table": NOTE.replace("A lost update.", "| What | Who |\n|---|---|\n| a leak | Omar |"),
    "code": NOTE.replace("A lost update.", "```\nrm -r old\n```"),
    "quotation": NOTE.replace("A lost update.", "> A lost update."),
    "hard-wrapped": NOTE.replace("A lost update.", "A\nlost\nupdate."),
    "more-sections": NOTE.replace("## Fixed", "## Changed\n\nNothing.\n\n## Fixed"),
    "fenced-as-markdown": f"```markdown\n{NOTE}\n```",
    "tilde-fence": f"~~~md\n{NOTE}\n~~~",
    "link-in-bold": NOTE.replace("SEE: [log]", "**SEE:** [log]"),
}


@pytest.mark.parametrize("name", NOTE_MISSES)
def test_ship_markdown_sections_negative_near_miss(name: str) -> None:
    verdict = MarkdownSections(**FORM).judge("", completion(NOTE_MISSES[name]))
    assert verdict.outcome is Outcome.FALSIFIED, verdict.reason


@pytest.mark.parametrize("name", NOTE_RIGHT)
def test_ship_markdown_sections_unusual_but_right_is_no_negative(name: str) -> None:
    verdict = MarkdownSections(**FORM).judge("", completion(NOTE_RIGHT[name]))
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


def test_ship_markdown_sections_takes_any_order_where_asked() -> None:
    form = FORM | {"ordered": False}
    verdict = MarkdownSections(**form).judge("", completion(NOTE_MISSES["wrong-order"]))
    assert verdict.outcome is Outcome.CORROBORATED


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sections": ()}, "at least one"),
        ({"sections": ("Do", "1. do:")}, "same name"),
        ({"sections": ("Do", "--")}, "a letter"),
        ({"sections": ("Do",), "min_words": 0}, "min_words"),
        ({"sections": ("Do",), "links": (" ",)}, "links"),
    ],
)
def test_ship_markdown_sections_negative_parameters(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MarkdownSections(**wrong)


def test_ship_markdown_sections_judges_another_process_too() -> None:
    oracle = MarkdownSections(sections=("Plan", "Do", "Check", "Act"), min_words=4)
    assert oracle.judge("", completion(pdca(links=""))).outcome is Outcome.CORROBORATED
    assert oracle.judge("", completion(pdca(plan=TRON, act=ACT[:9]))).outcome is Outcome.FALSIFIED
