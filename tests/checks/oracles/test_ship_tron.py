"""tron: near misses that fail, unusual decisions that pass."""

from __future__ import annotations

import pytest

from pytest_modelqa.checks.oracles.tron import Tron
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from tests.checks.oracles.pdca_documents import TRON, pdca

pytestmark = pytest.mark.tier1

T, R, O, N = TRON.split("\n")  # noqa: E741 - the letters of TRON
OTHER = (
    "**Trigger:** The build is red.\n**Response:** We undo the last change.\n"
    "**Outcome:** The build is green.\n**Next:** Find the cause."
)
NEAR_MISSES = {
    "no-trigger": (f"{R}\n{O}\n{N}", "no trigger"),
    "no-next": (f"{T}\n{R}\n{O}", "no next"),
    "outcome-before-response": (f"{T}\n{O}\n{R}\n{N}", "in the order"),
    "backwards": (f"{N}\n{O}\n{R}\n{T}", "in the order"),
    "next-twice": (f"{TRON}\n{N}", "in the order"),
    "second-decision-incomplete": (f"{TRON}\n\n{T}\n{R}", "in the order"),
    "empty-part": (f"{T}\n{R}\n**Outcome:**\n{N}", "outcome holds 0 words"),
    "tbd": (f"{T}\n{R}\n{O}\n**Next:** TBD", "next holds 0 words"),
    "dots": (f"{T}\n**Response:** ...\n{O}\n{N}", "response holds 0 words"),
    "gap": (f"{T}\n**Response:** We [describe the action] soon.\n{O}\n{N}", "a gap"),
    "brackets": (f"**Trigger:** [what happened]\n{R}\n{O}\n{N}", "trigger holds 0 words"),
    "one-word": (f"{T}\n{R}\n{O}\n**Next:** Deploy.", "next holds 1 words"),
    "one-word-repeated": (f"{T}\n{R}\n{O}\n**Next:** go go go", "next holds 1 words"),
    "words-in-prose": (
        "The trigger was a lost order, our response is a write to disk, the outcome will be "
        "safety, and next we watch the log.",
        "no trigger, response, outcome, next",
    ),
    "letters-only": ("T: lost orders\nR: write first\nO: none lost\nN: watch it", "no trigger"),
    "other-names": (TRON.replace("Response", "Action"), "no response"),
    "longer-name": (TRON.replace("Trigger", "Triggers"), "no trigger"),
    "same-text-twice": (f"{T}\n{R}\n{O}\n**Next:**{R.removeprefix('**Response:**')}", "the same"),
    "in-a-code-block": (f"```\n{TRON}\n```", "no trigger"),
    "in-a-quotation": ("> " + TRON.replace("\n", "\n> "), "no trigger"),
    "outside-of-the-plan": (
        pdca(plan="We write to disk first and confirm later.", act=f"Learned much.\n\n{TRON}"),
        "no trigger",
    ),
    "half-outside-of-the-plan": (pdca(plan=f"{T}\n{R}", do=f"{O}\n{N}"), "no outcome, next"),
    "explained-only": ("TRON stands for Trigger, Response, Outcome and Next.", "no trigger"),
}
RIGHT = {
    "plain": TRON,
    "not-bold": TRON.replace("**", ""),
    "in-the-plan": pdca(),
    "list": "- " + TRON.replace("\n", "\n- "),
    "numbers": f"1. {T}\n2. {R}\n3. {O}\n4. {N}",
    "paragraphs": TRON.replace("\n", "\n\n"),
    "headings": TRON.replace("**Trigger:** ", "### Trigger\n\n")
    .replace("**Response:** ", "### Response\n\n")
    .replace("**Outcome:** ", "### Outcome\n\n")
    .replace("**Next:** ", "### Next\n\n"),
    "table": "| Part | Text |\n|---|---|\n| Trigger | lost orders |\n| Response | write first |\n"
    "| Outcome | no loss |\n| Next | watch the log |",
    "one-line": TRON.replace("\n", " "),
    "one-line-not-bold": TRON.replace("**", "").replace("\n", " "),
    "capitals": TRON.replace("Trigger", "TRIGGER").replace("Next", "NEXT"),
    "colon-outside-of-bold": TRON.replace(":**", "**:"),
    "letter-in-bold": TRON.replace("**Trigger:**", "**T**rigger:"),
    "dashes": TRON.replace("**", "").replace(": ", " \u2013 "),
    "arrows": TRON.replace("**", "").replace(":", " \u2192"),
    "text-below-the-name": TRON.replace(":** ", ":**\n"),
    "list-below-the-name": TRON.replace(":** ", ":**\n\n- ").replace("\n**", "\n\n**"),
    "two-decisions": f"{TRON}\n\n{OTHER}",
    "after-words": f"This is my decision.\n\n{TRON}",
    "before-steps": f"## Plan\n\n{TRON}\n\n1. Write to disk.\n2. Confirm the order.",
    "names-again-inside": TRON.replace("the log of OrderStore", "the outcome of the response"),
    "windows-line-ends": TRON.replace("\n", "\r\n"),
    "markdown-fence": f"```markdown\n{TRON}\n```",
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_ship_tron_negative_near_miss(name: str) -> None:
    text, said = NEAR_MISSES[name]
    verdict = Tron().judge("", completion(text))
    assert verdict.outcome is Outcome.FALSIFIED, verdict.reason
    assert said in verdict.reason


@pytest.mark.parametrize("name", RIGHT)
def test_ship_tron_unusual_but_right_is_no_negative(name: str) -> None:
    verdict = Tron().judge("", completion(RIGHT[name]))
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


def test_ship_tron_negative_cut_off_is_never_right() -> None:
    verdict = Tron().judge("", completion(TRON, finish="context"))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_ship_tron_negative_parameters() -> None:
    with pytest.raises(ValueError, match="min_words"):
        Tron(min_words=0)
    assert Tron(min_words=8).judge("", completion(TRON)).outcome is Outcome.FALSIFIED
