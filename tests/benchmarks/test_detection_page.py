"""docs/detection.md: its tables are what `python -m benchmarks.detection` writes."""

from __future__ import annotations

from benchmarks.detection import PAGE, SLOW, SUBSET, section
from benchmarks.table import begin, end, with_section
from pytest_modelqa.artifacts.defects.catalogue import selected
from pytest_modelqa.artifacts.defects.defect import DefectClass
from pytest_modelqa.artifacts.defects.healthy import VARIANTS
from pytest_modelqa.mutation.outcome import HEALTHY, Outcome


def test_the_subset_has_a_defect_of_every_class() -> None:
    chosen = selected(SUBSET)
    assert len(chosen) == len(SUBSET)
    assert {d.category for d in chosen} == set(DefectClass)
    assert {v.name for v in VARIANTS} > SLOW


def test_a_section_has_the_rates_the_table_and_what_was_missed() -> None:
    found = Outcome(
        name="outlier", category="values", what="One weight is too large.", state="judged",
        checks=("tensor-parity",), effect="logits", place="blk.2.ffn_down.weight",
        cause="corrupted block", named_place="blk.2.ffn_down.weight", class_right=True,
        cause_right=True, place_right=True, caught_by="tensor parity", seconds=2.0,
    )  # fmt: skip
    missed = Outcome(
        name="scale", category="values", what="It is too large.", state="judged",
        effect="logits", caught_by="tensor parity",
    )  # fmt: skip
    healthy = Outcome(name="copy", category=HEALTHY, what="The same bytes.", state="judged")
    text = section("ci-light", [found, missed, healthy])
    assert "| defects with an effect, detected | 1/2 (50.0 %) | at least 97 % |" in text
    assert "| false alarms on healthy variants | 0/1 (0.0 %) | none |" in text
    assert "| values | outlier | detected | corrupted block at blk.2.ffn_down.weight |" in text
    assert "- undetected: scale: It is too large. The check for it: tensor parity; logits" in text
    assert "Nothing that has an effect was missed." in section("ci-light", [found, healthy])


def test_the_page_has_a_section_of_each_model() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("ci-light", "smollm2"):
        body = page.partition(begin(name))[2].partition(end(name))[0]
        assert f"## {'SmolLM2' if name == 'smollm2' else name}" in body
        assert "| false alarms on healthy variants | 0/" in body
        assert with_section(page, name, "anew") != page
