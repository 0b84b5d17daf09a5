"""What the process set teaches is what the ship gates' validators accept."""

from __future__ import annotations

from random import Random

import pytest

from pytest_modelqa.checks.oracles.pdca_quality import PdcaQuality
from pytest_modelqa.checks.oracles.pdca_schema import PdcaSchema
from pytest_modelqa.checks.oracles.tron import Tron
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from training.synth.draw import Draw, Side
from training.synth.sets import process
from training.synth.sets.made import Made
from training.synth.words import POOLS, QUALIFIERS, ROLES


def drawn(side: Side, count: int) -> list[tuple[Made, str]]:
    """Records of the process set, each with the name that it is about."""
    rng = Random(5)
    made = []
    for _ in range(count):
        draw = Draw(rng, side, POOLS)
        draw.bind(entity=draw.pick(QUALIFIERS) + draw.pick(ROLES))
        draw.bind(count=str(draw.number(8, 90)), times=str(draw.number(2, 9)))
        made.append((process.make(draw), draw.bound["entity"]))
    return made


@pytest.mark.parametrize("side", ["train", "held"])
def test_ship_validators_accept_what_is_taught(side: Side) -> None:
    kinds = set()
    for made, entity in drawn(side, 80):
        kinds.add(made.template.partition("-")[0])
        document = made.template.startswith("pdca-")
        oracles = (Tron(), PdcaSchema(), PdcaQuality(about=(entity,))) if document else (Tron(),)
        for oracle in oracles:
            verdict = oracle.judge(made.instruction, completion(made.output))
            assert verdict.outcome is Outcome.CORROBORATED, (verdict.reason, made.output)
    assert kinds == {"pdca", "tron", "plan"}


def test_ship_validators_negative_reject_what_is_taught_once_it_is_damaged() -> None:
    for made, entity in drawn("train", 30):
        if not made.template.startswith("pdca-"):
            continue
        bare = "\n".join(line for line in made.output.splitlines() if "FOLLOWS" not in line)
        swapped = made.output.replace("**Trigger:**", "**Next:**", 1)
        for oracle, text in (
            (PdcaSchema(), bare),
            (PdcaQuality(about=(entity,)), bare),
            (Tron(), swapped),
            (PdcaQuality(about=(entity,)), swapped),
            (PdcaQuality(about=(f"{entity}Proxy",)), made.output),
            (PdcaSchema(), made.output.replace("## Act", "### Act")),
        ):
            assert oracle.judge("", completion(text)).outcome is Outcome.FALSIFIED
