"""pdca_quality: near misses that fail, unusual documents that pass."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.checks.oracles.pdca_quality import PdcaQuality
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from tests.checks.oracles.pdca_documents import (
    CHECK,
    DO,
    FOLLOWS,
    OBJECTIVE,
    PRECEDES,
    TRON,
    pdca,
)

pytestmark = pytest.mark.tier1


def linked(follows: str, precedes: str = "[b](./b.pdca.md)") -> str:
    return pdca(links=f"FOLLOWS: {follows}\nPRECEDES: {precedes}")


NEAR_MISSES = {
    "no-pdca": (pdca().replace("## Check", "Check"), "no section check"),
    "objective-of-three-words": (pdca(objective="Keep the orders."), "objective holds 3 words"),
    "objective-of-one-word": (pdca(objective="orders orders orders orders orders"), "holds 1"),
    "objective-to-be-defined": (pdca(objective="To be defined."), "objective holds 0 words"),
    "gap-in-the-objective": (
        pdca(objective=f"{OBJECTIVE} It is due on [insert date]."),
        "a gap to fill in: [insert date]",
    ),
    "lorem": (pdca(do=f"{DO}\n- Lorem ipsum dolor sit amet."), "a gap"),
    "template-variable": (pdca(objective=f"{OBJECTIVE} For {{{{customer}}}}."), "a gap"),
    "copied-section": (pdca(act=DO), "act repeats do"),
    "plan-without-tron": (
        pdca(plan="- Write orders to disk first.\n- Confirm them afterwards."),
        "Plan: no trigger",
    ),
    "plan-in-wrong-order": (
        pdca(plan="\n".join(reversed(TRON.split("\n")))),
        "Plan: the parts are in the order",
    ),
    "deeds-without-object": (
        pdca(do="- Worked on it as planned.\n- Did everything that was necessary."),
        "Do names 0 concrete actions",
    ),
    "hollow-deeds": (
        pdca(do="- Implemented the necessary changes.\n- Made several improvements here."),
        "Do names 0 concrete actions",
    ),
    "deeds-without-verb": (
        pdca(do="- The storage layer and its tests.\n- OrderStore, restart, Vitest."),
        "Do names 0 concrete actions",
    ),
    "one-deed": (pdca(do="Moved the setup of OrderStore into init()."), "Do names 1 concrete"),
    "one-deed-thrice": (pdca(do="\n".join([f"- {DO.splitlines()[1][2:]}"] * 3)), "Do names 1"),
    "deeds-tbd": (pdca(do="- TODO\n- TBD\n- to be done\n- coming soon\n- ..."), "do holds 0 words"),
    "only-open-boxes": (pdca(check=CHECK.replace("[x]", "[ ]")), "Check names 0 verifications"),
    "check-is-an-opinion": (
        pdca(check="- We are happy with how it went.\n- Everybody likes the new store."),
        "Check names 0 verifications",
    ),
    "check-ticked-but-empty": (
        pdca(check="- [x] ok\n- [x] Done.\n\nWe are all fine with how it went."),
        "Check names 0 verifications",
    ),
    "check-says-that-nothing-was-checked": (
        pdca(check="Nothing has been tested or verified yet.\n\nIt was not checked by Mara."),
        "Check names 0 verifications",
    ),
    "no-changes": (pdca(act="No further changes or improvements were found."), "Act names"),
    "act-says-thanks": (
        pdca(act="- Thanks to everyone who took part.\n- The ticket is closed."),
        "Act names neither",
    ),
    "nothing-learned": (pdca(act="There is nothing to learn or to improve here."), "Act names"),
    "lesson-in-a-link-alone": (
        f"{pdca(links='', act='The ticket of Mara is closed.')}\n\n{FOLLOWS}\n"
        "PRECEDES: [lessons learned](./lessons-learned.pdca.md)",
        "Act names neither",
    ),
    "link-to-nowhere": (linked("[a](#)"), "FOLLOWS leads nowhere"),
    "link-to-a-placeholder": (linked("[a](path/to/file.md)"), "FOLLOWS leads nowhere"),
    "link-to-example": (linked("[a](https://example.com/a.md)"), "FOLLOWS leads nowhere"),
    "link-to-a-word": (linked("[link](url)"), "FOLLOWS leads nowhere"),
    "link-without-text": (linked("[](./a.pdca.md)"), "FOLLOWS is no Markdown link"),
    "link-text-tbd": (linked("[TBD](./a.pdca.md)"), "FOLLOWS is no Markdown link"),
    "bare-path": (linked("./a.pdca.md"), "FOLLOWS is no Markdown link"),
    "both-links-the-same": (linked("[b](./b.pdca.md)"), "lead to the same document"),
    "mail": (linked("[Mara](mailto:mara@team.dev)"), "neither a path nor an address"),
    "other-subject": (pdca().replace("OrderStore", "CartStore"), "OrderStore is not mentioned"),
    "other-subject-inside": (
        pdca().replace("OrderStore", "BigOrderStores"),
        "OrderStore is not mentioned",
    ),
}
RIGHT = {
    "plain": pdca(),
    "deeds-in-prose": pdca(
        do="We wrote a scenario that restarts OrderStore. Then the setup moved to init(), and we "
        "added 12 tests.\nIn the end Mara reviewed the change."
    ),
    "deeds-as-orders": pdca(
        do="1. Write a scenario for the restart of OrderStore.\n2. Move its setup into init().\n"
        "3. Run the tests twice on two machines."
    ),
    "deeds-in-a-table": pdca(
        do="| Step | Who |\n|---|---|\n| Wrote the restart scenario | Mara |\n"
        "| Moved the setup into init() | Omar |"
    ),
    "deeds-in-subsections": pdca(
        do=f"### Monday\n\n{DO.splitlines()[0]}\n\n### Tuesday\n\n{DO.splitlines()[1]}"
    ),
    "deeds-ticked": pdca(do=DO.replace("- ", "- [x] ")),
    "deeds-with-code": pdca(do=f"{DO}\n\n```sh\nnpx vitest run\n```"),
    "deeds-in-the-passive": pdca(
        do="- The setup of OrderStore was moved into init().\n- Twelve tests were added."
    ),
    "proof-in-prose": pdca(check="The restart was repeated 20 times and no order was lost."),
    "proof-in-a-table": pdca(
        check="| What | Result |\n|---|---|\n| Tests of OrderStore | 12 pass |"
    ),
    "some-boxes-open": pdca(check=f"{CHECK}\n- [ ] The load of a full week."),
    "capital-ticks": pdca(check=CHECK.replace("[x]", "[X]")),
    "lesson-in-prose": pdca(act="Next time we test the restart before the release."),
    "lesson-of-what-was-not-done": pdca(
        act="No tests covered this path; the lesson is to write them first."
    ),
    "lesson-to-stop": pdca(act="No longer change the schema by hand; always write a migration."),
    "proof-and-a-gap": pdca(check=f"{CHECK}\n- Tests pass on Linux; it was not tested on Windows."),
    "lesson-as-a-rule": pdca(act="We adopt write-before-confirm as the standard for all stores."),
    "two-decisions": pdca(plan=f"{TRON}\n\n{TRON}"),
    "decision-and-steps": pdca(plan=f"{TRON}\n\n### Steps\n\n1. Write.\n2. Confirm."),
    "links-with-anchors": linked("[a](../march/a.pdca.md#check)"),
    "links-to-addresses": linked("[a](https://docs.team.dev/pdca/17)"),
    "links-at-the-end": f"{pdca(links='')}\n\n- **{FOLLOWS[:8]}** {FOLLOWS[9:]}\n- {PRECEDES}",
    "todo-as-a-thing": pdca(do=f"{DO}\n- Removed each TODO from the source of OrderStore."),
    "generic-type-in-text": pdca(do=f"{DO}\n- Replaced the object by a Map<string, number>."),
    "list-index-in-text": pdca(do=f"{DO}\n- Changed orders[0] to orders.at(0) in the reader."),
    "long": pdca(act="\n".join(f"- Learned: case {i} needs a test of its own." for i in range(40))),
    "in-a-markdown-fence": f"```markdown\n{pdca()}\n```",
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_ship_pdca_quality_negative_near_miss(name: str) -> None:
    text, said = NEAR_MISSES[name]
    verdict = PdcaQuality(about=("OrderStore",)).judge("", completion(text))
    assert verdict.outcome is Outcome.FALSIFIED, verdict.reason
    assert said in verdict.reason


@pytest.mark.parametrize("name", RIGHT)
def test_ship_pdca_quality_unusual_but_right_is_no_negative(name: str) -> None:
    verdict = PdcaQuality(about=("OrderStore",)).judge("", completion(RIGHT[name]))
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


def test_ship_pdca_quality_negative_cut_off_is_never_right() -> None:
    verdict = PdcaQuality().judge("", completion(pdca(), finish="length"))
    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"min_words": 0}, "min_words"),
        ({"min_actions": 0}, "min_actions"),
        ({"min_proofs": 0}, "min_proofs"),
        ({"about": ("",)}, "about"),
    ],
)
def test_ship_pdca_quality_negative_parameters(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PdcaQuality(**wrong)


@pytest.mark.parametrize("field", [{"min_actions": 4}, {"min_proofs": 3}, {"min_words": 15}])
def test_ship_pdca_quality_asks_for_more_where_told(field: dict[str, Any]) -> None:
    assert PdcaQuality(**field).judge("", completion(pdca())).outcome is Outcome.FALSIFIED


def test_ship_pdca_quality_negative_names_every_problem() -> None:
    bad = pdca(do="Did it all as planned, twice.", act="The ticket of Mara is closed.")
    verdict = PdcaQuality().judge("", completion(bad))
    for said in ("Do names 0", "Act names neither"):
        assert said in verdict.reason
